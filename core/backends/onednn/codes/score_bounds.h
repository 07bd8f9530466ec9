// How far approximate and exact scores of a row can be apart.
#pragma once

#include <cstdint>
#include <vector>

namespace kwta {

// For unit j and row x with quantisation error r:
//   |approximate + offset - exact| <= |x| norm_factor[j] + |r| residual_factor[j] + constant[j],
// where offset is the same for all units of a row. docs/kernels.md has the proofs. Factors are rounded up.
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

  // More than the rounding of the operations below.
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

}  // namespace kwta
