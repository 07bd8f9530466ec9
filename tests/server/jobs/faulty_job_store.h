// A job store that fails when a test says so.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "server/jobs/job_store.h"

namespace kwta::server {

// Thread-safe.
class FaultyJobStore final : public JobStore {
 public:
  explicit FaultyJobStore(std::unique_ptr<JobStore> store) : store_(std::move(store)) {}

  // What reads and writes answer from now on; OK: what the store behind answers.
  void FailReads(absl::Status status) { Set(&reads_, std::move(status)); }
  void FailWrites(absl::Status status) { Set(&writes_, std::move(status)); }
  // Writes of events of this state only.
  void FailEvents(v1::JobState state, absl::Status status) {
    absl::MutexLock lock(&mutex_);
    failing_state_ = state;
    events_ = std::move(status);
  }
  // Returns once so many calls have failed, in all.
  void AwaitFailures(int count) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return failures_ >= count; };
    mutex_.Await(absl::Condition(&enough));
  }

  absl::StatusOr<Created> Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) override {
    const absl::Status status = Answer(&writes_);
    return status.ok() ? store_->Create(id, spec, now) : status;
  }
  absl::StatusOr<v1::Job> Get(const std::string& id) override {
    const absl::Status status = Answer(&reads_);
    return status.ok() ? store_->Get(id) : status;
  }
  absl::StatusOr<std::vector<v1::Job>> List(v1::JobState state, int64_t limit) override {
    const absl::Status status = Answer(&reads_);
    if (!status.ok()) return status;
    return store_->List(state, limit);
  }
  absl::StatusOr<JobCounts> Count() override {
    const absl::Status status = Answer(&reads_);
    if (!status.ok()) return status;
    return store_->Count();
  }
  absl::StatusOr<v1::Job> Append(const std::string& id, v1::JobEvent event) override {
    absl::Status status = Answer(&writes_);
    if (status.ok() && IsFailing(event)) status = Answer(&events_);
    return status.ok() ? store_->Append(id, std::move(event)) : status;
  }
  absl::StatusOr<std::vector<v1::JobEvent>> EventsAfter(const std::string& id, uint64_t after_sequence,
                                                        int64_t limit) override {
    const absl::Status status = Answer(&reads_);
    if (!status.ok()) return status;
    return store_->EventsAfter(id, after_sequence, limit);
  }

 private:
  void Set(absl::Status* which, absl::Status status) {
    absl::MutexLock lock(&mutex_);
    *which = std::move(status);
  }
  bool IsFailing(const v1::JobEvent& event) {
    absl::MutexLock lock(&mutex_);
    return event.state() == failing_state_ && !event.has_progress();
  }
  absl::Status Answer(const absl::Status* which) {
    absl::MutexLock lock(&mutex_);
    if (!which->ok()) ++failures_;
    return *which;
  }

  const std::unique_ptr<JobStore> store_;
  absl::Mutex mutex_;
  absl::Status reads_, writes_, events_;  // guarded by mutex_
  v1::JobState failing_state_ ABSL_GUARDED_BY(mutex_) = v1::JOB_STATE_UNSPECIFIED;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kwta::server
