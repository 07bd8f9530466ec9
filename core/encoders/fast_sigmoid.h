// The logistic function in a form that compilers turn into vector code.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace kwta {

// 1 / (1 + exp(-a)) to within 4e-6 of itself, in a form that compilers turn into vector code. NaN if a is not finite.
// Means nothing beyond 2^21, where training has diverged.
inline float FastSigmoid(float a) {
  constexpr float kLog2E = 1.44269504f;
  constexpr float kRounding = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest whole number in the lowest bits
  constexpr uint32_t kRoundingBits = 0x4B400000;
  const float power = -a * kLog2E;
  const float rounded = power + kRounding;
  uint32_t bits;  // subtracted without a sign, since the bits of NaN are out of range
  std::memcpy(&bits, &rounded, sizeof(bits));
  const int32_t whole = std::min(std::max(static_cast<int32_t>(bits - kRoundingBits), -126), 126);
  const float rest = power - (rounded - kRounding);  // -0.5 .. 0.5
  // Taylor's series of 2^rest.
  const float fourth = 0.00961812911f + rest * (0.00133335581f + rest * 0.000154035304f);
  const float second = 0.240226507f + rest * (0.0555041087f + rest * fourth);
  const float series = 1 + rest * (0.693147181f + rest * second);
  std::memcpy(&bits, &series, sizeof(bits));
  bits += static_cast<uint32_t>(whole) << 23;
  float exponential;
  std::memcpy(&exponential, &bits, sizeof(exponential));
  return 1 / (1 + exponential) + 0 * a;
}

}  // namespace kwta
