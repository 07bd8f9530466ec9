// How many calls are served at once.
#pragma once

#include <atomic>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

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
      if (permits_ != nullptr) permits_->taken_.fetch_sub(1);
    }

   private:
    friend class CallPermits;
    explicit Permit(CallPermits* permits) : permits_(permits) {}
    CallPermits* permits_;
  };

  // Errors: RESOURCE_EXHAUSTED naming the limit.
  absl::StatusOr<Permit> Take();

 private:
  const int limit_;
  std::atomic<int> taken_{0};
};

}  // namespace kwta::server
