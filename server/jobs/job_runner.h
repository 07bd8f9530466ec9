// Runs training jobs, each in its own trainer process, and publishes the resulting models.
//
// One rule of truth: a job is SUCCEEDED if and only if a published version names it, and the record follows the
// version. If the record or the version cannot be stored, the runner retries with growing pauses until it can.
// Meanwhile the job waits for the store and keeps its place.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
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
class TrainerPriority;

struct JobRunnerOptions {
  std::string trainer_program;
  std::string jobs_directory;                 // each job works in jobs_directory/<id>
  std::vector<std::string> data_directories;  // passed to the trainer
  std::string backend;                        // passed to the trainer
  std::optional<int> device;                  // likewise
  int max_running_jobs = 1;
  int max_queued_jobs = 1000;
  int trainer_niceness = 5;
  TrainerPriority* priority = nullptr;            // learns of the trainers; outlives the runner; may be null
  std::function<void()> taken_up;                 // called once the jobs in the store are known; may be empty
  absl::Duration stop_grace = absl::Seconds(10);  // how long a trainer may take to stop before it is killed
};

// Thread-safe. A job that has ended leaves nothing in its directory, except that a failed job leaves the trainer's log,
// its bundle if that could not be published, and the checkpoint from which another job of its spec can go on.
class JobRunner {
 public:
  // REQUIRES: journal, models and metrics outlive the runner.
  JobRunner(JobRunnerOptions options, JobJournal* journal, ModelManager* models, Metrics* metrics);
  // Stops.
  ~JobRunner();

  // Resumes the jobs in the store. Jobs that were running when the server died are queued again and continue from their
  // checkpoints. If the store cannot be read or written now, this happens as soon as it can.
  void Start();

  // Stores and queues a job. An empty id is replaced with a new one. Repeating a request returns its job even if the
  // queue is full. REQUIRES: spec is resolved.
  // Errors: ALREADY_EXISTS (the id belongs to another spec, or to a job whose model is still there although the store
  // no longer has it), RESOURCE_EXHAUSTED with a RetryAfter (max_queued_jobs jobs wait), UNAVAILABLE (stopping), and
  // those of the store.
  absl::StatusOr<v1::Job> Submit(std::string id, const v1::JobSpec& spec);

  // Cancels a job and returns it as it is then. Its trainer stops in the background.
  // Errors: NOT_FOUND; FAILED_PRECONDITION if the job ended otherwise or is about to; those of the store.
  absl::StatusOr<v1::Job> Cancel(const std::string& id);

  // OK, or the reason why some job waits for the store. Never waits for the store itself.
  absl::Status trouble();

  // Tells the running trainers to write a checkpoint and stop, and queues their jobs for the next start. Accepts no
  // more jobs.
  void BeginStop();
  // Waits until the trainers have stopped, at most about stop_grace.
  void FinishStop();

 private:
  struct Running {
    TrainerProcess* process = nullptr;
    bool cancelled = false;
    bool ending = false;  // it is too late to cancel
    // Work queues the job once this entry is gone: another worker that took the job sooner would share the entry, and
    // lose its own when this one is erased.
    bool runs_again = false;
    SteadyTime kill_at = SteadyTime::InfiniteFuture();
  };
  struct QueuedJob {
    std::string id;
    SteadyTime since;
  };
  static auto Is(const std::string& id) {
    return [&id](const QueuedJob& job) { return job.id == id; };
  }
  // How a trainer ended, with its final report if it made one.
  struct Ending {
    v1::TrainerReport report;
    absl::Status error;   // the error to report if there is no final report
    bool killed = false;  // killed by something other than this server
  };

  // Checks that a job that the store does not have has left no model under its id: a new job would be taken for it.
  // Errors: ALREADY_EXISTS.
  absl::Status CheckIdIsFree(const std::string& id, const std::string& model) const;
  // Reserves a place in the queue for a job that is about to be stored.
  absl::Status Reserve(const std::string& id);
  // Takes up the jobs in the store. Errors: those of the store; call it again after an error.
  absl::Status TakeUp();
  absl::Status TakeUpInterrupted(const v1::Job& job);
  void RemoveDebris();
  void Work();
  bool HasJobOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || (taken_up_ && !queue_.empty()); }
  void Run(const std::string& id, SteadyTime queued);
  // Trains until the job reaches an end of its own.
  Ending TrainPatiently(const v1::Job& job);
  // Ends a job as failed. It keeps its checkpoint, and its error says so, as far as KeepOfFailure does.
  void Fail(const v1::Job& job, const absl::Status& error);
  // The newest failed jobs. Others' checkpoints no job is given.
  absl::StatusOr<std::vector<v1::Job>> FailedJobs() const;
  // Gives the job the checkpoint that a failed job of the same spec has kept, if there is one.
  void GoOnFromAFailedJob(const v1::Job& job);
  Ending Train(const v1::Job& job);
  Ending Listen(const v1::Job& job, TrainerProcess* process);
  void StopTrainer(Running* running) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool IsCancelled(const std::string& id);
  // True if a trainer that was killed should be started again.
  bool MayTryAgain(const std::string& id);
  void Publish(const v1::Job& job);
  void Requeue(const std::string& id);
  // Appends an event. Retries until the event is stored, the job has ended, or the runner stops. Errors:
  // FAILED_PRECONDITION (see JobHasEnded), NOT_FOUND, DATA_LOSS; those of the store once the runner stops.
  absl::StatusOr<v1::Job> AppendPatiently(const std::string& id, const v1::JobEvent& event);
  // The pause after attempt `attempt` (1, 2, ...) to store something.
  static absl::Duration StorePause(int attempt);
  // Waits for StorePause and records why the job waits. Returns false if the runner stops.
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
  std::map<std::string, int> kills_ ABSL_GUARDED_BY(mutex_);  // number of killed trainers by job
  std::deque<QueuedJob> queue_ ABSL_GUARDED_BY(mutex_);
  int reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);
  StopLatch stop_;

  // Held only for a moment, unlike mutex_, under which the store is asked: /readyz and /metrics ask for trouble on the
  // thread that also answers /healthz.
  absl::Mutex trouble_mutex_ ABSL_ACQUIRED_AFTER(mutex_);
  std::map<std::string, absl::Status> waiting_ ABSL_GUARDED_BY(trouble_mutex_);  // by job: why it waits for the store
  absl::Status take_up_trouble_ ABSL_GUARDED_BY(trouble_mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace kwta::server
