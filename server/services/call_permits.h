// How many calls are served at once, and when the last of them is done.
#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kwta::server {

// Thread-safe.
class CallPermits {
 public:
  explicit CallPermits(int limit) : limit_(limit) {}

  // Given back when it is destroyed. Movable.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : permits_(other.permits_) { other.permits_ = nullptr; }
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (permits_ != nullptr) permits_->GiveBack();
    }

   private:
    friend class CallPermits;
    explicit Permit(CallPermits* permits) : permits_(permits) {}
    CallPermits* permits_;
  };

  // Errors: RESOURCE_EXHAUSTED naming the limit, UNAVAILABLE after Close.
  absl::StatusOr<Permit> Take();

  // No permits from now on: the server drains.
  void Close();
  // Waits until every permit was given back. False if `deadline` passed first.
  bool WaitUntilIdle(absl::Time deadline);

 private:
  void GiveBack();

  const int limit_;
  absl::Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server
