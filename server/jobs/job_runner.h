// Runs training jobs, each in a trainer process of its own, and publishes what they made.
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
#include "kwta/v1/job.pb.h"
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

// Thread-safe. A job that ends leaves nothing in its directory but, if it failed, the trainer's log.
class JobRunner {
 public:
  // REQUIRES: the others outlive it.
  JobRunner(JobRunnerOptions options, JobJournal* journal, ModelManager* models, Metrics* metrics);
  // Stops.
  ~JobRunner();

  // Takes up the jobs that the store holds: those that were running when the server died are queued again and go on
  // from their checkpoints. Errors: those of the store.
  absl::Status Start();

  // Stores a job and queues it. An empty id gets one. REQUIRES: spec is resolved.
  // Errors: ALREADY_EXISTS (another spec under that id), RESOURCE_EXHAUSTED with a RetryAfter (max_queued_jobs wait),
  // UNAVAILABLE (stopping), and those of the store. A request that is repeated gets its job even if the queue is full.
  absl::StatusOr<v1::Job> Submit(std::string id, const v1::JobSpec& spec);

  // Cancels a job; its trainer is stopped in the background. Gives the job as it is then.
  // Errors: NOT_FOUND; FAILED_PRECONDITION if it ended otherwise or is about to.
  absl::StatusOr<v1::Job> Cancel(const std::string& id);

  // Tells the running trainers to write a checkpoint and stop; their jobs are queued for the next start. Takes no more.
  void BeginStop();
  // Waits for that, at most about stop_grace.
  void FinishStop();

 private:
  struct Running {
    TrainerProcess* process = nullptr;
    bool cancelled = false;
    bool ending = false;  // too late to cancel
    absl::Time kill_at = absl::InfiniteFuture();
  };
  // How a trainer ended: its final report, if it made one.
  struct Ending {
    v1::TrainerReport report;
    absl::Status error;  // what is to be said if there is no final report
  };

  // Keeps a place in the queue for a job that is about to be stored.
  absl::Status Reserve(const std::string& id);
  void Work();
  bool HasJobOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !queue_.empty(); }
  void Run(const std::string& id);
  Ending Train(const v1::Job& job);
  Ending Listen(const v1::Job& job, TrainerProcess* process);
  void StopTrainer(Running* running) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Publish(const v1::Job& job);
  void Requeue(const std::string& id);
  // Appends the event that ends a job and clears its directory.
  void End(const v1::Job& job, const v1::JobEvent& event);
  std::string Directory(const std::string& id) const { return options_.jobs_directory + "/" + id; }

  const JobRunnerOptions options_;
  JobJournal* const journal_;
  ModelManager* const models_;
  Metrics* const metrics_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::string> queue_ ABSL_GUARDED_BY(mutex_);
  int reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace kwta::server
