// Runs training jobs, each in a trainer process of its own, and publishes what they made.
//
// One rule of truth: a job is SUCCEEDED if and only if a version was published that names it, and the record follows
// the version. What cannot be stored, the record or the version, is tried again, with growing pauses, until it is: the
// job waits for the store, and takes its place meanwhile.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "core/base/stop_latch.h"
#include "kwta/v1/job.pb.h"
#include "server/jobs/job_directories.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/trainer_process.h"
#include "server/models/model_manager.h"

namespace kwta::server {

class Metrics;

struct JobRunnerOptions {
  std::string trainer_program;
  std::string jobs_directory;                 // each job works in jobs_directory/<id>
  std::vector<std::string> data_directories;  // told to the trainer
  std::string backend;                        // told to the trainer
  int max_running_jobs = 1;
  int max_queued_jobs = 1000;
  int trainer_niceness = 19;
  absl::Duration stop_grace = absl::Seconds(10);  // a trainer that was told to stop is killed after this
};

// Thread-safe. A job that ends leaves nothing in its directory but, if it failed, the trainer's log, and the bundle if
// there is one that could not be published.
class JobRunner {
 public:
  // REQUIRES: the others outlive it.
  JobRunner(JobRunnerOptions options, JobJournal* journal, ModelManager* models, Metrics* metrics);
  // Stops.
  ~JobRunner();

  // Takes up the jobs that the store holds: those that were running when the server died are queued again and go on
  // from their checkpoints. If the store cannot be read or written now, that is done once it can be.
  void Start();

  // Stores a job and queues it. An empty id gets one. REQUIRES: spec is resolved.
  // Errors: ALREADY_EXISTS (another spec under that id), RESOURCE_EXHAUSTED with a RetryAfter (max_queued_jobs wait),
  // UNAVAILABLE (stopping), and those of the store. A request that is repeated gets its job even if the queue is full.
  absl::StatusOr<v1::Job> Submit(std::string id, const v1::JobSpec& spec);

  // Cancels a job; its trainer is stopped in the background. Gives the job as it is then.
  // Errors: NOT_FOUND; FAILED_PRECONDITION if it ended otherwise or is about to; those of the store.
  absl::StatusOr<v1::Job> Cancel(const std::string& id);

  // OK, or why some job waits for the store.
  absl::Status trouble();

  // Tells the running trainers to write a checkpoint and stop; their jobs are queued for the next start. Takes no more.
  void BeginStop();
  // Waits for that, at most about stop_grace.
  void FinishStop();

 private:
  struct Running {
    TrainerProcess* process = nullptr;
    bool cancelled = false;
    bool ending = false;  // too late to cancel
    SteadyTime kill_at = SteadyTime::InfiniteFuture();
    absl::Status waits_for_store;  // OK: it does not
  };
  // How a trainer ended: its final report, if it made one.
  struct Ending {
    v1::TrainerReport report;
    absl::Status error;   // what is to be said if there is no final report
    bool killed = false;  // by somebody else
  };

  // Keeps a place in the queue for a job that is about to be stored.
  absl::Status Reserve(const std::string& id);
  // Errors: those of the store; to be called again then.
  absl::Status TakeUp();
  absl::Status TakeUpInterrupted(const v1::Job& job);
  void RemoveDebris();
  void Work();
  bool HasJobOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || (taken_up_ && !queue_.empty()); }
  void Run(const std::string& id);
  // Trains until there is an end that is the job's own.
  Ending TrainPatiently(const v1::Job& job);
  Ending Train(const v1::Job& job);
  Ending Listen(const v1::Job& job, TrainerProcess* process);
  void StopTrainer(Running* running) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsCancelled(const std::string& id);
  // Whether a trainer that was killed is to be started again.
  bool MayTryAgain(const std::string& id);
  void Publish(const v1::Job& job);
  void Requeue(const std::string& id);
  // Appends an event, again and again until it is stored, or its job has ended, or the runner stops. Errors:
  // FAILED_PRECONDITION (see JobHasEnded), NOT_FOUND, DATA_LOSS; once it stops, those of the store.
  absl::StatusOr<v1::Job> AppendPatiently(const std::string& id, const v1::JobEvent& event);
  // How long to wait after attempt `attempt` (1, 2, ...) to store something.
  static absl::Duration StorePause(int attempt);
  // Waits for that, and says why the job waits. False: the runner stops.
  bool PauseForStore(const std::string& id, int attempt, const absl::Status& why);
  void StoredAgain(const std::string& id);
  // Appends the event that ends a job and clears its directory.
  void End(const v1::Job& job, const v1::JobEvent& event, Keep keep);
  std::string Directory(const std::string& id) const { return options_.jobs_directory + "/" + id; }
  std::string BundlePath(const std::string& id) const { return Directory(id) + "/" + kBundleName; }

  const JobRunnerOptions options_;
  JobJournal* const journal_;
  ModelManager* const models_;
  Metrics* const metrics_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool taken_up_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status take_up_trouble_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> kills_ ABSL_GUARDED_BY(mutex_);  // of trainers, by job
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  int reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);
  StopLatch stop_;
  std::vector<std::thread> threads_;
};

}  // namespace kwta::server
