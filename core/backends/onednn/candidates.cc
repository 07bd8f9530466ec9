#include "core/backends/onednn/candidates.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backends/fixed_order_dot.h"

namespace kwta {
namespace {

// Slightly more than the rounding of the few binary64 operations that the bound itself is computed with.
constexpr double kRoundUp = 1 + 0x1p-40;

double Error(const ScoreBound& bound, double norm, double bias) {
  return (bound.error_factor * bound.x_norm * norm + std::abs(bias) * 0x1p-22 + bound.subnormal_error) * kRoundUp;
}

// The largest float that is not above value.
float RoundDown(double value) {
  const float rounded = static_cast<float>(value);
  return rounded > value ? std::nextafter(rounded, -std::numeric_limits<float>::infinity()) : rounded;
}

}  // namespace

void SetErrorTerms(int64_t width, ScoreBound* bound) {
  bound->error_factor = 2 * static_cast<double>(DotErrorFactor(width)) + 0x1p-22;
  bound->subnormal_error = static_cast<double>(width) * 0x1p-147;
}

bool CannotOverflow(const ScoreBound& bound) {
  // Any partial sum is at most |x| |w| by Cauchy and Schwarz, but for its rounding: far below the limit of 2^128.
  return bound.x_norm * bound.largest_norm + bound.largest_bias < 0x1p126;
}

int64_t FindCandidates(const Kernels& kernels, TopKFunction select_top_k, const float* scores, int64_t units, int64_t k,
                       const ScoreBound& bound, float* scratch, int32_t* best, float* best_scores,
                       int32_t* candidates) {
  // The k units with the largest approximate scores have exact scores of at least `floor`, so a unit whose exact score
  // must be below that is not among the k largest.
  select_top_k(scores, units, k, nullptr, scratch, best, best_scores);
  double error_of_best = 0;
  for (int64_t i = 0; i < k; ++i) {
    error_of_best = std::max(error_of_best, Error(bound, bound.atom_norms[best[i]], bound.bias[best[i]]));
  }
  const double floor = *std::min_element(best_scores, best_scores + k) - error_of_best;

  // First with the largest error of any unit, to leave few units of many; then each with its own.
  const double largest_error = Error(bound, bound.largest_norm, bound.largest_bias);
  const int64_t count = kernels.collect_at_least(scores, units, RoundDown(floor - largest_error), candidates);
  int64_t kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t unit = candidates[i];
    candidates[kept] = unit;
    kept += scores[unit] + Error(bound, bound.atom_norms[unit], bound.bias[unit]) >= floor;
  }
  return kept;
}

}  // namespace kwta
