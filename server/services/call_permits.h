// Limits how many calls are served at once, and tells when the last one is done.
#pragma once

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace kwta::server {

// Callers that hold an even share of the other permits cannot take the last eighth of all permits, so a caller that
// takes all it can get does not shut the others out. Thread-safe.
class CallPermits {
  using Holders = std::map<std::string, int>;

 public:
  explicit CallPermits(int limit) : limit_(limit) {}

  // Destroying a permit returns it. Movable.
  class Permit {
   public:
    Permit(Permit&& other) noexcept : permits_(other.permits_), holder_(other.holder_) { other.permits_ = nullptr; }
    Permit& operator=(Permit&&) = delete;
    ~Permit() {
      if (permits_ != nullptr) permits_->GiveBack(holder_);
    }

   private:
    friend class CallPermits;
    Permit(CallPermits* permits, Holders::iterator holder) : permits_(permits), holder_(holder) {}
    CallPermits* permits_;
    Holders::iterator holder_;
  };

  // Errors: RESOURCE_EXHAUSTED naming the limit, UNAVAILABLE after Close.
  absl::StatusOr<Permit> Take(const std::string& caller);

  // How many permits are taken, and how many there are.
  int taken() const {
    absl::MutexLock lock(&mutex_);
    return taken_;
  }
  int limit() const { return limit_; }

  // Issues no more permits: the server drains.
  void Close();
  // Waits until every permit has been returned. Returns false if `deadline` passes first.
  bool WaitUntilIdle(absl::Time deadline);

 private:
  void GiveBack(Holders::iterator holder);

  const int limit_;
  mutable absl::Mutex mutex_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  Holders holders_ ABSL_GUARDED_BY(mutex_);  // none with 0
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kwta::server
