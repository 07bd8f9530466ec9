// Gradients by finite differences.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "core/tensors/tensor.h"

namespace kwta {

// Expects before - after to be the gradient of `loss`, which depends on `parameters`, within tolerance (1 +
// |gradient|).
inline void ExpectMovedByTheGradient(const char* name, const Tensor& before, const Tensor& after,
                                     std::vector<double>& parameters, double tolerance,
                                     const std::function<double()>& loss) {
  double largest = 0;
  for (size_t j = 0; j < parameters.size(); ++j) {
    constexpr double kH = 1e-5;
    const double kept = parameters[j];
    parameters[j] = kept + kH;
    const double above = loss();
    parameters[j] = kept - kH;
    const double below = loss();
    parameters[j] = kept;
    const double gradient = (above - below) / (2 * kH);
    const double step = double{before.as<float>()[j]} - after.as<float>()[j];
    EXPECT_NEAR(step, gradient, tolerance * (1 + std::fabs(gradient))) << name << " " << j;
    largest = std::max(largest, std::fabs(gradient));
  }
  EXPECT_GT(largest, 0.1) << name;
}

}  // namespace kwta
