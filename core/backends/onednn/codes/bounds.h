// Upper bounds of vector lengths, and of the distance between a row's approximate and exact scores.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace kwta::onednn::codes {

// Covers the rounding of a binary64 sum of squares and of its root.
inline constexpr double kLengthRoundUp = 1 + 0x1p-20;

// The smallest float that is at least `value`.
inline float RoundedUp(double value) {
  const float rounded = static_cast<float>(value);
  return rounded < value ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

// At least the length of a vector of `n` elements, given the sum of its squares in binary32 arithmetic, in any order.
// Covers the rounding of the sum and of the root, and squares that underflow.
inline float NormBound(float squared_sum, int64_t n) {
  const double elements = static_cast<double>(n);
  return static_cast<float>(std::sqrt(static_cast<double>(squared_sum)) * (1 + elements * 0x1p-23) +
                            std::sqrt(elements) * 0x1p-60);
}

// For unit j and row x with quantisation error r:
//   |approximate + offset - exact| <= |x| norm_factor[j] + |r| residual_factor[j] + constant[j],
// where offset is the same for all units of a row. docs/kernels/codes.md has the proofs. Factors are rounded up.
struct UnitBounds {
  std::vector<float> norm_factor, residual_factor, constant;  // [units]
  float largest_norm_factor = 0, largest_residual_factor = 0, largest_constant = 0;
};

// The largest factors of some units.
struct LargestFactors {
  float norm = 0, residual = 0, constant = 0;
};

// The bounds of one row.
struct RowBound {
  const UnitBounds* units = nullptr;
  double norm = 0;           // |x|, rounded up
  double residual_norm = 0;  // |r|, rounded up
  double offset = 0;

  // Exceeds the rounding of the operations below.
  static constexpr double kRoundUp = 1 + 0x1p-40;

  double Error(int64_t unit) const {
    return (norm * units->norm_factor[unit] + residual_norm * units->residual_factor[unit] + units->constant[unit]) *
           kRoundUp;
  }
  double LargestError() const {
    return LargestErrorOf({units->largest_norm_factor, units->largest_residual_factor, units->largest_constant});
  }
  double LargestErrorOf(const LargestFactors& factors) const {
    return (norm * factors.norm + residual_norm * factors.residual + factors.constant) * kRoundUp;
  }
};

}  // namespace kwta::onednn::codes
