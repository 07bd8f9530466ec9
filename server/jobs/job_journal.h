// Writes job events into the store and wakes the watchers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
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

  // What happened to a job after some event.
  struct News {
    std::vector<v1::JobEvent> events;  // the next ones, at most a few hundred
    bool ended = false;                // the job has ended with the last of them, or earlier
  };
  // Errors: NOT_FOUND; those of the store; UNAVAILABLE if nothing happened and Stop was called.
  absl::StatusOr<News> NewsOf(const std::string& id, uint64_t after_sequence);

  // Destroying it ends it; its function is not called afterwards. Movable.
  class Following;
  // From now on, calls `changed` after each change of the job, and after Stop. It must not block or call the journal.
  Following Follow(const std::string& id, std::function<void()> changed);

  // Ends what waits for news, now and in the future.
  void Stop();

 private:
  // Reports a failed write.
  void Note(const absl::Status& status) const;
  void Tell(const std::string& id);

  using Followers = std::multimap<std::string, std::function<void()>>;

  JobStore* const store_;
  const Events events_;
  absl::Mutex mutex_;
  Followers followers_ ABSL_GUARDED_BY(mutex_);  // by job
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

class JobJournal::Following {
 public:
  Following(Following&& other) noexcept : journal_(other.journal_), follower_(other.follower_) {
    other.journal_ = nullptr;
  }
  Following& operator=(Following&&) = delete;
  ~Following();

 private:
  friend class JobJournal;
  Following(JobJournal* journal, Followers::iterator follower) : journal_(journal), follower_(follower) {}
  JobJournal* journal_;
  Followers::iterator follower_;
};

}  // namespace kwta::server
