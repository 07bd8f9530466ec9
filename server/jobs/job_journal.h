// Writes what happens to jobs into the store and wakes those who watch.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/steady_cond_var.h"
#include "server/jobs/job_store.h"

namespace kwta::server {

// Thread-safe. Every change of a job goes through here; reading goes to the store.
class JobJournal {
 public:
  struct Events {
    std::function<void(const v1::Job&)> changed;          // after each change of a job's state; the job as it is then
    std::function<void(const absl::Status&)> not_stored;  // a write failed; may come again and again
  };
  // Events may be empty. REQUIRES: the store outlives it.
  JobJournal(JobStore* store, Events events);

  JobStore& store() { return *store_; }

  // As in JobStore.
  absl::StatusOr<JobStore::Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now);
  absl::StatusOr<v1::Job> Append(const std::string& id, const v1::JobEvent& event);

  // Gives the job's events after `after_sequence` to `emit`, past ones first, then each as it happens, and returns OK
  // when the job has ended and all was given. Blocks. Errors: NOT_FOUND; CANCELLED as soon as `emit` or `alive` returns
  // false (alive is asked about twice a second); UNAVAILABLE after Stop.
  absl::Status Watch(const std::string& id, uint64_t after_sequence,
                     const std::function<bool(const v1::JobEvent&)>& emit, const std::function<bool()>& alive);

  // Ends every Watch, now and later.
  void Stop();

 private:
  // Tells of a write that failed.
  void Note(const absl::Status& status) const;
  void Wake();
  uint64_t Generation();

  JobStore* const store_;
  const Events events_;
  absl::Mutex mutex_;
  SteadyCondVar woken_;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;  // grows with each change of any job
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server
