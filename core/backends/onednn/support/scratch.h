// Memory for intermediate results, kept between calls.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/backend.h"

namespace kwta::onednn::support {

// Hands out memory and keeps what comes back, so that a call does not pay for fresh pages. It keeps as many blocks as
// the most calls that ever ran at once. Thread-safe.
class ScratchPool {
 public:
  // The memory of one call, not zeroed. Returns to the pool on destruction. REQUIRES: the pool outlives it.
  class Lease {
   public:
    Lease(ScratchPool* pool, Buffer memory) : pool_(pool), memory_(std::move(memory)) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), memory_(std::move(other.memory_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->Return(std::move(memory_));
    }
    // Aligned to 64 bytes.
    template <typename T>
    T* as() {
      return memory_.as<T>();
    }

   private:
    ScratchPool* pool_;
    Buffer memory_;
  };

  // Takes at least `bytes`. Errors: RESOURCE_EXHAUSTED.
  absl::StatusOr<Lease> Take(size_t bytes);

 private:
  void Return(Buffer memory);

  absl::Mutex mutex_;
  std::vector<Buffer> free_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::onednn::support
