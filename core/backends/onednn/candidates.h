// Finds the exact k largest scores of a row from approximate ones.
//
// The approximate scores come from a matrix product that sums in an unknown order. Each is within a proven distance of
// the exact score, so only units close enough to the k-th largest approximate score can be among the exact k largest:
// those are the candidates, and only they are computed exactly.
#pragma once

#include <cstdint>

#include "core/backends/backend.h"
#include "core/backends/onednn/kernels.h"
#include "core/backends/onednn/top_k_select.h"

namespace kwta {

// How far approximate and exact scores of one row are apart: unit j at most
// error_factor * x_norm * atom_norms[j] + |bias[j]| 2^-22 + subnormal_error.
struct ScoreBound {
  double error_factor = 0;
  double x_norm = 0;                   // |x|, rounded up
  const double* atom_norms = nullptr;  // [units], rounded up
  const float* bias = nullptr;         // [units]
  double largest_norm = 0;             // of all atoms
  double largest_bias = 0;             // of all units, in magnitude
  double subnormal_error = 0;
};

// The error_factor and subnormal_error that hold for a binary32 matrix product and FixedOrderDot over `width` elements,
// a rounded addition of the bias included: each sum is within DotErrorFactor(width) |x| |w| + width 2^-149 of the exact
// product (width 2^-149 for products that are subnormal), and adding the bias rounds each by at most 2^-24 |sum|.
// REQUIRES: width < 2^20, which DotErrorFactor asks for.
void SetErrorTerms(int64_t width, ScoreBound* bound);

// True if no partial sum of the row's scores can overflow, in any order of summation. False if anything is NaN.
bool CannotOverflow(const ScoreBound& bound);

// Writes to candidates (room for `units`), ascending, every unit that can be among the exact k largest, at least k, and
// returns how many. `scratch` has room for TopKScratchElements(units); best and best_scores, for k each, are scratch
// too. REQUIRES: CannotOverflow(bound), 1 <= k <= units.
int64_t FindCandidates(const Kernels& kernels, TopKFunction select_top_k, const float* scores, int64_t units, int64_t k,
                       const ScoreBound& bound, float* scratch, int32_t* best, float* best_scores, int32_t* candidates);

}  // namespace kwta
