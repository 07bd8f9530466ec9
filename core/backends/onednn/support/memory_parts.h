// Several arrays in one stretch of memory.
#pragma once

#include <cstdint>

namespace kwta {

// Hands out parts of a stretch of memory one after another, each aligned to 64 bytes. Without memory, which must be
// aligned likewise, all parts are null, and used() tells how much there should be. Not thread-safe.
class MemoryParts {
 public:
  explicit MemoryParts(char* memory) : memory_(memory) {}

  template <typename T>
  T* Take(int64_t elements) {
    T* part = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += (elements * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return part;
  }
  int64_t used() const { return used_; }  // bytes

 private:
  char* const memory_;
  int64_t used_ = 0;
};

}  // namespace kwta
