// Limits of weights whose products with bytes are summed in 16 bits, for instruction sets that have no sums of products
// in 32 bits. docs/kernels/codes.md, "Without VNNI", has the reasons.
#pragma once

#include <cstdint>

namespace kwta::simd {

// A sum of two products saturates at 16 bits. It stays below if neither the positive nor the negative weights of a pair
// sum to more than this: 255 * 128 is below 2^15.
inline constexpr int32_t kPairSumLimit = 128;
// Sums of several pairs wrap around. One that begins with -kMiddleByte times its weights ends as the sum of the
// products with bytes less kMiddleByte, -128 .. 127, if the magnitudes of its weights sum to no more than this.
inline constexpr int32_t kStepSumLimit = 255;
inline constexpr int32_t kMiddleByte = 128;

// The largest sums of weights that meet in 16 bits.
struct LargestSums {
  float pair = 0;  // of the positive or of the negative ones of a pair
  float step = 0;  // of the magnitudes of a step
};

// The most that may stand for one in `largest`, so that rounded weights keep the limits. `step_products` are in one sum
// of a step; 0: there are no steps. Infinite if all weights are zero.
inline float MostLevels(const LargestSums& largest, int64_t step_products) {
  // Rounding adds a half at most to each weight of a sum. The rest of the margin is for this arithmetic.
  const float pair = (static_cast<float>(kPairSumLimit - 1) - 0.25f) / largest.pair;
  if (step_products == 0) return pair;
  const float step =
      (static_cast<float>(kStepSumLimit) - 0.5f * static_cast<float>(step_products) - 0.25f) / largest.step;
  return pair < step ? pair : step;
}

}  // namespace kwta::simd
