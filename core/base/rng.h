// Random numbers that depend only on the seed: every machine and every standard library produces the same ones.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

namespace kwta {

// A stream of random numbers. Not thread-safe: give each thread, and each purpose, a stream of its own.
class Rng {
 public:
  // Streams with different (seed, stream) pairs are independent for every practical purpose.
  explicit Rng(uint64_t seed, uint64_t stream = 0);

  // Uniform on 0 .. bound - 1, without bias. REQUIRES: bound > 0.
  uint64_t UniformBelow(uint64_t bound);
  // Uniform on (0, 1].
  double Uniform();
  // Standard normal (Box-Muller).
  double Gaussian();

 private:
  std::mt19937_64 engine_;
  bool has_spare_ = false;
  double spare_ = 0;
};

// Spreads (seed, stream) over 64 bits: the seed of an Rng, and a key for other generators.
uint64_t StreamKey(uint64_t seed, uint64_t stream);

// Returns a uniformly random permutation of 0 .. size - 1 (Fisher-Yates). REQUIRES: size < 2^32.
std::vector<uint32_t> RandomPermutation(uint64_t size, Rng& rng);

}  // namespace kwta
