// Writes job events into the store and wakes the watchers.
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

// Thread-safe. Every change of a job goes through the journal; reads go to the store.
class JobJournal {
 public:
  struct Events {
    std::function<void(const v1::Job&)> changed;          // called with the job after each change of its state
    std::function<void(const absl::Status&)> not_stored;  // called when a write fails; may repeat
  };
  // The callbacks in `events` may be empty. REQUIRES: the store outlives the journal.
  JobJournal(JobStore* store, Events events);

  JobStore& store() { return *store_; }

  // As in JobStore.
  absl::StatusOr<JobStore::Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now);
  absl::StatusOr<v1::Job> Append(const std::string& id, const v1::JobEvent& event);

  // Passes the job's events after `after_sequence` to `emit`: past events first, then each new one as it happens.
  // Blocks; returns OK once the job has ended and all events were passed. Asks `alive` about twice a second. Errors:
  // NOT_FOUND; CANCELLED as soon as `emit` or `alive` returns false; UNAVAILABLE after Stop.
  absl::Status Watch(const std::string& id, uint64_t after_sequence,
                     const std::function<bool(const v1::JobEvent&)>& emit, const std::function<bool()>& alive);

  // Ends every Watch, current and future.
  void Stop();

 private:
  // Reports a failed write.
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
