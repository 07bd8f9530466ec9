// What a device that works later than it is asked says about failures.
#pragma once

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"

namespace kwta::cuda {

// The first failure of a device, which is the answer to every later call. Thread-safe.
class DeviceErrors {
 public:
  // `device` names the device in messages.
  explicit DeviceErrors(std::string device) : device_(std::move(device)) {}

  // Before a call. `operation` must stay alive.
  absl::Status Enter(const char* operation) {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return failure_;
    before_ = std::exchange(last_, operation);
    return absl::OkStatus();
  }

  // The device itself is gone: UNAVAILABLE. Returns the first failure.
  absl::Status Lost(const std::string& why) {
    absl::MutexLock lock(&mutex_);
    if (failure_.ok()) failure_ = absl::UnavailableError(absl::StrCat(device_, " is lost: ", why));
    return failure_;
  }

  const std::string& device() const { return device_; }
  // OK before the first failure.
  absl::Status failure() const {
    absl::MutexLock lock(&mutex_);
    return failure_;
  }

  // Something that was asked for failed: INTERNAL. It may have been the call that says so, or one before.
  absl::Status Failed(const std::string& why) {
    absl::MutexLock lock(&mutex_);
    if (failure_.ok()) {
      failure_ = absl::InternalError(absl::StrCat(device_, " failed in ", last_, " or before it, in ", before_, ": ",
                                                  why, "; restart the program to use it again"));
    }
    return failure_;
  }

 private:
  const std::string device_;
  mutable absl::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  const char* last_ ABSL_GUARDED_BY(mutex_) = "nothing";
  const char* before_ ABSL_GUARDED_BY(mutex_) = "nothing";
};

}  // namespace kwta::cuda
