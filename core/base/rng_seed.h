// How streams of random numbers get their seeds: core/base/rng.h.
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

namespace kwta {

// SplitMix64's finaliser: spreads x over the whole state space of an engine's seed.
KWTA_HOST_DEVICE inline uint64_t SpreadSeed(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// What Rng(seed, stream) gives its engine, std::mt19937_64.
KWTA_HOST_DEVICE inline uint64_t EngineSeed(uint64_t seed, uint64_t stream) {
  return SpreadSeed(SpreadSeed(seed) ^ SpreadSeed(~stream));
}

// The draw `bits` of the engine as a number in (0, 1]: Rng::Uniform.
KWTA_HOST_DEVICE inline double UniformOf(uint64_t bits) { return (static_cast<double>(bits >> 11) + 1.0) * 0x1.0p-53; }

}  // namespace kwta
