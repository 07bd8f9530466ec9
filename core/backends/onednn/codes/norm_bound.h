// Lengths of vectors that are surely not too small.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace kwta {

// Covers the rounding of a binary64 sum of squares and of its root.
inline constexpr double kLengthRoundUp = 1 + 0x1p-20;

// The smallest float that is at least `value`.
inline float RoundedUp(double value) {
  const float rounded = static_cast<float>(value);
  return rounded < value ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

// At least the length of a vector of `n` elements, given the sum of its squares as binary32 arithmetic adds it up in
// any order: covers the rounding of the sum and of the root, and squares that underflow.
inline float NormBound(float squared_sum, int64_t n) {
  const double elements = static_cast<double>(n);
  return static_cast<float>(std::sqrt(static_cast<double>(squared_sum)) * (1 + elements * 0x1p-23) +
                            std::sqrt(elements) * 0x1p-60);
}

}  // namespace kwta
