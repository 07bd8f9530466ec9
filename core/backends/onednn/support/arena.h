// Several arrays in one piece of memory.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/backends/onednn/support/scratch.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::support {

// Hands out arrays one after another, each aligned to 64 bytes as the memory is. Without memory it only counts, and all
// arrays are null. Not thread-safe.
class Arena {
 public:
  explicit Arena(char* memory) : memory_(memory) {}

  template <typename T>
  T* Take(int64_t elements) {
    char* const taken = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += RoundUp(elements * int64_t{sizeof(T)}, 64);
    return reinterpret_cast<T*>(taken);
  }

  // The size of all arrays so far.
  int64_t bytes() const { return bytes_; }

 private:
  char* const memory_;
  int64_t bytes_ = 0;
};

// Calls take(Arena&) twice: first to count, then to hand out arrays of the returned memory. Errors: RESOURCE_EXHAUSTED.
template <typename Take>
absl::StatusOr<ScratchPool::Lease> TakeArrays(ScratchPool& pool, const Take& take) {
  Arena counts(nullptr);
  take(counts);
  absl::StatusOr<ScratchPool::Lease> lease = pool.Take(static_cast<size_t>(counts.bytes()));
  if (!lease.ok()) return lease;
  Arena arena(lease->as<char>());
  take(arena);
  return lease;
}

}  // namespace kwta::onednn::support
