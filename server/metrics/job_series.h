// The series of training jobs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/base/steady_time.h"
#include "kwta/v1/job.pb.h"
#include "server/jobs/job_counts.h"
#include "server/metrics/bucket_counts.h"
#include "server/metrics/collection.h"
#include "server/metrics/families.h"

namespace kwta::server {

// Thread-safe.
class JobSeries {
 public:
  // Sets the jobs by state to what `count` returns. Counts one after another, so that no older count replaces a newer
  // one. An error leaves the counts as they are; CountAgain then counts when it is called.
  void Count(const std::function<absl::StatusOr<JobCounts>()>& count) ABSL_LOCKS_EXCLUDED(counting_);
  void CountAgain(const std::function<absl::StatusOr<JobCounts>()>& count) ABSL_LOCKS_EXCLUDED(counting_);

  void StoreWriteFailed();
  void SetWaitingForStore(bool waiting);

  // A job of `model` starts after it waited for so long, reports, or no longer runs. Of several jobs of a model that
  // run at once, the series show the one that started last.
  void Started(const std::string& id, const std::string& model, absl::Duration waited, SteadyTime now);
  void Progress(const std::string& id, const v1::TrainingProgress& progress, SteadyTime now);
  void Stopped(const std::string& id);

  void Collect(SteadyTime now, Collection* collection) const;

 private:
  struct Running {
    std::string model;
    uint64_t order = 0;  // of starts
    SteadyTime started, reported, checkpoint;
    v1::TrainingProgress progress;
  };

  BucketCounts queue_seconds_{JobQueueSecondsBounds()};
  absl::Mutex counting_ ABSL_ACQUIRED_BEFORE(mutex_);  // held from the count until it is recorded; scrapes never wait
  mutable absl::Mutex mutex_;
  JobCounts counts_ ABSL_GUARDED_BY(mutex_);
  bool waiting_for_store_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t store_failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Running> running_ ABSL_GUARDED_BY(mutex_);  // by job
  uint64_t starts_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kwta::server
