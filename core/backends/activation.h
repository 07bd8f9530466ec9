// The activation functions of autoencoders, and their derivatives.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/base/host_device.h"

namespace kwta {

enum class Activation {
  kReLU,      // max(a, 0)
  kSigmoid,   // 1 / (1 + exp(-a))
  kSoftplus,  // log(1 + exp(a))
};

// Arpit et al., section 3: a unit is active above this activity (delta_min).
KWTA_HOST_DEVICE inline float ActivationThreshold(Activation activation) {
  return activation == Activation::kReLU ? 0.0f : 0.1f;
}

// s(a), s'(a) and s''(a). ReLU has s'(0) = s''(0) = 0.
template <typename Real>
struct ActivationPoint {
  Real value = 0, slope = 0, curvature = 0;
};

template <typename Real>
KWTA_HOST_DEVICE ActivationPoint<Real> ActivationAt(Activation activation, Real a) {
  if (activation == Activation::kReLU) return a > 0 ? ActivationPoint<Real>{a, 1, 0} : ActivationPoint<Real>{};
  const Real small = std::exp(-std::abs(a));  // no overflow
  const Real sigmoid = (a < 0 ? small : Real{1}) / (1 + small);
  const Real slope = small / ((1 + small) * (1 + small));
  if (activation == Activation::kSigmoid) return {sigmoid, slope, slope * (1 - 2 * sigmoid)};
  return {std::max(a, Real{0}) + std::log1p(small), sigmoid, slope};
}

}  // namespace kwta
