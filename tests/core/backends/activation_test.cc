#include "core/backends/activation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace kwta::activation_test {
namespace {

TEST(Activation, IsDefinedFarFromZero) {
  for (const float a : {-1e30f, -200.0f, 200.0f, 1e30f}) {
    const auto sigmoid = ActivationAt(Activation::kSigmoid, a), softplus = ActivationAt(Activation::kSoftplus, a);
    EXPECT_EQ(sigmoid.value, a > 0 ? 1 : 0);
    EXPECT_EQ(sigmoid.slope, 0);
    EXPECT_EQ(softplus.value, std::max(a, 0.0f));
    EXPECT_EQ(softplus.slope, a > 0 ? 1 : 0);
  }
}

}  // namespace
}  // namespace kwta::activation_test
