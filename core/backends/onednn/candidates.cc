#include "core/backends/onednn/candidates.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/score_order.h"

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

// A threshold that at least k scores reach, and for most inputs few more: bisection between the smallest and largest.
float LooseThreshold(const Kernels& kernels, const float* scores, int64_t units, int64_t k) {
  // Stepping on costs a pass over the scores; stopping early costs sorting this many candidates.
  const int64_t enough = k + k / 4 + 8;
  constexpr int kMaxPasses = 24;
  const ScoreRange range = kernels.range(scores, units);
  float low = range.low;
  float high = range.high;
  if (units <= enough) return low;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    const float middle = low + (high - low) * 0.5f;
    if (!(middle > low && middle < high)) break;
    const int64_t count = kernels.count_at_least(scores, units, middle);
    if (count < k) {
      high = middle;
      continue;
    }
    low = middle;
    if (count <= enough) break;
  }
  return low;
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

int64_t FindCandidates(const Kernels& kernels, const float* scores, int64_t units, int64_t k, const ScoreBound& bound,
                       int32_t* candidates, float* scratch) {
  // First with the largest error of any unit, to leave few units of many.
  const float loose = LooseThreshold(kernels, scores, units, k);
  const double largest_error = Error(bound, bound.largest_norm, bound.largest_bias);
  const int64_t count = kernels.collect_at_least(scores, units, RoundDown(loose - 2 * largest_error), candidates);
  if (count == k) return count;

  // Then each with its own. The k units with the largest approximate scores have exact scores of at least `floor`, so a
  // unit whose exact score must be below that is not among the k largest.
  for (int64_t i = 0; i < count; ++i) scratch[i] = scores[candidates[i]];
  std::nth_element(scratch, scratch + (k - 1), scratch + count, std::greater<float>());
  const float kth = scratch[k - 1];
  double error_of_best = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t unit = candidates[i];
    if (scores[unit] < kth) continue;
    error_of_best = std::max(error_of_best, Error(bound, bound.atom_norms[unit], bound.bias[unit]));
  }
  const double floor = kth - error_of_best;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int32_t unit = candidates[i];
    candidates[kept] = unit;
    kept += scores[unit] + Error(bound, bound.atom_norms[unit], bound.bias[unit]) >= floor;
  }
  return kept;
}

void ChooseExact(const int32_t* candidates, const float* scores, int64_t count, int64_t k, int32_t* scratch,
                 int32_t* indices, float* values) {
  if (count == k) {
    std::copy_n(candidates, k, indices);
    std::copy_n(scores, k, values);
    return;
  }
  // Positions among the candidates stand for the units: both ascend.
  std::iota(scratch, scratch + count, 0);
  std::nth_element(scratch, scratch + (k - 1), scratch + count,
                   [scores](int32_t a, int32_t b) { return GoesBefore(scores[a], a, scores[b], b); });
  const int32_t last = scratch[k - 1];
  int64_t chosen = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (GoesBefore(scores[last], last, scores[i], i)) continue;
    indices[chosen] = candidates[i];
    values[chosen] = scores[i];
    ++chosen;
  }
}

}  // namespace kwta
