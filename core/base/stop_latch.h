// Waits for a stop signal or a timeout.
#pragma once

#include <condition_variable>
#include <mutex>

#include "absl/time/time.h"

namespace kwta {

// Thread-safe. Waits use the steady clock; those of absl::Mutex and absl::CondVar do not.
class StopLatch {
 public:
  void Stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  // Waits up to `most` for Stop. Returns true if Stop was called.
  bool StoppedWithin(absl::Duration most) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, absl::ToChronoMilliseconds(most), [this] { return stopped_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false;
};

}  // namespace kwta
