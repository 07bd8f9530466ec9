#include "core/base/rng.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace kwta {
namespace {

// SplitMix64's finaliser: spreads (seed, stream) over the whole state space of the engine's seed.
uint64_t Mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t StreamKey(uint64_t seed, uint64_t stream) { return Mix(Mix(seed) ^ Mix(~stream)); }

Rng::Rng(uint64_t seed, uint64_t stream) : engine_(StreamKey(seed, stream)) {}

uint64_t Rng::UniformBelow(uint64_t bound) {
  // Draws again above the largest multiple of bound: such draws would favour small results.
  const uint64_t limit = ~uint64_t{0} - ~uint64_t{0} % bound;
  uint64_t draw;
  do {
    draw = engine_();
  } while (draw >= limit);
  return draw % bound;
}

double Rng::Uniform() { return (static_cast<double>(engine_() >> 11) + 1.0) * 0x1.0p-53; }

double Rng::Gaussian() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  const double radius = std::sqrt(-2.0 * std::log(Uniform()));
  const double angle = 2.0 * M_PI * Uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

std::vector<uint32_t> RandomPermutation(uint64_t size, Rng& rng) {
  std::vector<uint32_t> order(size);
  std::iota(order.begin(), order.end(), 0u);
  for (uint64_t i = size; i > 1; --i) std::swap(order[i - 1], order[rng.UniformBelow(i)]);
  return order;
}

}  // namespace kwta
