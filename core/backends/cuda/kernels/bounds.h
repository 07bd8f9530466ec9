// How far a product in bfloat16 may be from the exact score. docs/kernels/cuda.md has the proofs.
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

namespace kwta::cuda {

// |product of the rounded vectors - x w| <= Bf16ErrorFactor(n) |x| |w| for lengths of LengthBound: two roundings to 8
// bits, and n sums of a device that may cut bits off instead of rounding. REQUIRES: n < 2^20.
KWTA_HOST_DEVICE inline float Bf16ErrorFactor(int64_t n) {
  return 0x1p-8f + 0x1p-17f + static_cast<float>(n + 16) * 0x1p-21f;
}

// |FixedOrderDot - x w| <= this |x| |w|: core/simd/fixed_order_dot.h.
KWTA_HOST_DEVICE inline float ExactErrorFactor(int64_t n) { return static_cast<float>(n + 8) * 0x1.02p-24f; }

// At least the length of a vector of n elements, given the sum of its squares in binary32 in any order. The last term
// covers squares, elements and products that underflow.
KWTA_HOST_DEVICE inline float LengthBound(float root_of_squares, int64_t n, float root_of_n) {
  return root_of_squares * (1 + static_cast<float>(n + 4) * 0x1p-22f) + root_of_n * 0x1p-56f;
}

// The range of the score fl(dot + bias), given the approximate dot.
struct ScoreRange {
  float lower = 0, upper = 0;
  bool bounded = false;  // false: the score may be any number, or none
};

KWTA_HOST_DEVICE inline ScoreRange RangeOfScore(float dot, float bias, float lengths_product, float factor) {
  ScoreRange range;
  // Beyond this, sums may overflow on the way.
  if (!(lengths_product < 0x1p120f) || !(dot - dot == 0) || !(bias - bias == 0)) return range;
  const double center = static_cast<double>(dot) + bias;
  double error = static_cast<double>(factor) * lengths_product;
  error += 0x1p-22 * ((center < 0 ? -center : center) + error);
  const double low = center - error, high = center + error;
  // Covers the roundings here, and those to binary32.
  range.lower = static_cast<float>(low - (low < 0 ? -low : low) * 0x1p-22 - 0x1p-140);
  range.upper = static_cast<float>(high + (high < 0 ? -high : high) * 0x1p-22 + 0x1p-140);
  range.bounded = true;
  return range;
}

}  // namespace kwta::cuda
