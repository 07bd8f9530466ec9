// The order in which units compete for a place in a code.
#pragma once

#include <cmath>
#include <cstdint>

namespace kwta {

// True if unit a with score_a goes before unit b. The larger score goes first, NaN goes after every number, and the
// lower index goes first among equal scores (+0 and -0 are equal). A strict total order on units.
inline bool GoesBefore(float score_a, int64_t a, float score_b, int64_t b) {
  if (std::isnan(score_a) || std::isnan(score_b)) {
    if (std::isnan(score_a) != std::isnan(score_b)) return std::isnan(score_b);
    return a < b;
  }
  if (score_a != score_b) return score_a > score_b;
  return a < b;
}

}  // namespace kwta
