// What a device that works later than it is asked says about failures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"

namespace kwta::cuda {

// The first failure of a device, which is the answer to every later call. Names the operations that may have failed:
// those that were queued and not waited for. Thread-safe.
class DeviceErrors {
 public:
  // `device` names the device in messages.
  explicit DeviceErrors(std::string device) : device_(std::move(device)) {}

  const std::string& device() const { return device_; }
  // The failure, if there is one: what every call asks first.
  absl::Status failure() const {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

  // Notes an operation that is queued, by a name that lives as long as the program. Returns its number.
  int64_t Queued(const char* operation) {
    absl::MutexLock lock(&mutex_);
    ++last_;
    if (!queued_.empty() && std::string(queued_.back().second) == operation) {
      queued_.back().first = last_;
    } else {
      queued_.emplace_back(last_, operation);
      if (queued_.size() > kNames) queued_.pop_front();
    }
    return last_;
  }
  int64_t last() const {
    absl::MutexLock lock(&mutex_);
    return last_;
  }
  // Everything up to that number is done.
  void Done(int64_t number) {
    absl::MutexLock lock(&mutex_);
    while (!queued_.empty() && queued_.front().first <= number) queued_.pop_front();
  }

  // The device itself is gone: UNAVAILABLE. Returns the first failure.
  absl::Status Lost(const std::string& why) {
    absl::MutexLock lock(&mutex_);
    if (failure_.ok()) failure_ = absl::UnavailableError(absl::StrCat(device_, " is lost: ", why));
    return failure_;
  }

  // Something that was queued failed: INTERNAL. Returns the first failure.
  absl::Status Failed(const std::string& why) {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return failure_;
    std::vector<std::string> names;
    for (const auto& [number, name] : queued_) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
    }
    failure_ =
        absl::InternalError(absl::StrCat(device_, " failed", names.empty() ? "" : " in ", absl::StrJoin(names, " or "),
                                         ": ", why, "; restart the program to use it again"));
    return failure_;
  }

 private:
  // As many names as a message should have.
  static constexpr size_t kNames = 8;

  const std::string device_;
  mutable absl::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  int64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::pair<int64_t, const char*>> queued_ ABSL_GUARDED_BY(mutex_);  // the last number of each
};

}  // namespace kwta::cuda
