// Parts of one piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kwta {

// Hands out arrays one behind the other, each aligned to 64 bytes as the memory is. Without memory it only counts: the
// same calls then tell how much is needed. Not thread-safe.
class Arena {
 public:
  explicit Arena(char* memory) : memory_(memory) {}

  template <typename T>
  T* Take(int64_t elements) {
    char* const taken = memory_ == nullptr ? nullptr : memory_ + bytes_;
    bytes_ += (static_cast<size_t>(elements) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(taken);
  }

  // Of all arrays so far.
  size_t bytes() const { return bytes_; }

 private:
  char* const memory_;
  size_t bytes_ = 0;
};

}  // namespace kwta
