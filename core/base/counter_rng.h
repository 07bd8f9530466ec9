// Random numbers by counting: number i of a key is a function of the two, so any thread can draw any of them, in any
// order. Much cheaper than an Rng for short rows.
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

namespace kwta {

// Thread-safe: has no state.
class CounterRng {
 public:
  // Keys with different (seed, stream) pairs are independent for every practical purpose.
  KWTA_HOST_DEVICE CounterRng(uint64_t seed, uint64_t stream) : key_(Mix(Mix(seed) ^ Mix(~stream))) {}

  // Two numbers of 32 bits: number 2 i in the lower half, number 2 i + 1 in the upper.
  KWTA_HOST_DEVICE uint64_t Pair(uint64_t i) const { return Mix(key_ + i * kStride); }

  // StreamKey(seed, stream): core/base/rng.h.
  KWTA_HOST_DEVICE uint64_t key() const { return key_; }

 private:
  static constexpr uint64_t kStride = 0x9E3779B97F4A7C15ull;
  // SplitMix64: Steele, Lea & Flood, "Fast splittable pseudorandom number generators", 2014.
  static KWTA_HOST_DEVICE uint64_t Mix(uint64_t x) {
    x += kStride;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
  }

  uint64_t key_;
};

// Calls use(i, number i) for i = 0 .. count - 1.
template <typename Use>
void ForCountedNumbers(const CounterRng& rng, int64_t count, const Use& use) {
  int64_t i = 0;
  for (; i + 1 < count; i += 2) {
    const uint64_t pair = rng.Pair(static_cast<uint64_t>(i) / 2);
    use(i, static_cast<uint32_t>(pair));
    use(i + 1, static_cast<uint32_t>(pair >> 32));
  }
  if (i < count) use(i, static_cast<uint32_t>(rng.Pair(static_cast<uint64_t>(i) / 2)));
}

}  // namespace kwta
