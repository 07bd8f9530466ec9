#include "core/simd/adam.h"

#include <cmath>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::simd::adam_test {
namespace {

std::vector<float> Gaussian(int64_t n, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(n));
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

class AdamTest : public testing::TestWithParam<InstructionSet> {
 protected:
  // Updates with and without l2, and compares with the definition in binary64.
  void ExpectDefinition(const AdamStep& step, float l2, int64_t size) {
    std::vector<float> parameter = Gaussian(size, 8), gradient = Gaussian(size, 9), first = Gaussian(size, 10),
                       second(static_cast<size_t>(size), 0.5f);
    const std::vector<float> w0 = parameter, g0 = gradient, m0 = first;
    if (l2 == 0) {
      kernels_.update(step, gradient.data(), size, first.data(), second.data(), parameter.data());
      EXPECT_EQ(gradient, g0);
    } else {
      kernels_.update_with_l2(step, l2, gradient.data(), size, first.data(), second.data(), parameter.data());
      EXPECT_EQ(gradient, std::vector<float>(static_cast<size_t>(size)));
    }
    for (int64_t j = 0; j < size; ++j) {
      const double g = double{g0[j]} + double{l2} * w0[j];
      const double m = 0.9 * m0[j] + 0.1 * g, s = 0.99 * 0.5 + 0.01 * g * g;
      ASSERT_NEAR(first[j], m, 1e-6);
      ASSERT_NEAR(second[j], s, 1e-6);
      ASSERT_NEAR(parameter[j], w0[j] - 0.01 * m / (std::sqrt(2 * s) + 1e-3), 1e-6);
    }
  }

  const AdamKernels& kernels_ = AdamKernelsFor(GetParam());
};

TEST_P(AdamTest, FollowsItsDefinition) {
  const AdamStep step{0.9f, 0.1f, 0.99f, 0.01f, 0.01f, 2.0f, 1e-3f};
  for (const int64_t size : {1, 15, 16, 37}) {
    ExpectDefinition(step, 0, size);
    ExpectDefinition(step, 0.1f, size);
  }
}

TEST(AdamStep, CorrectsTheMomentsForTheirStart) {
  const AdamStep step = AdamStepAt(3, 0.5, 0.9, 0.999, 1e-8);
  EXPECT_EQ(step.beta1, 0.9f);
  EXPECT_EQ(step.one_minus_beta1, 1 - 0.9f);
  EXPECT_EQ(step.beta2, 0.999f);
  EXPECT_EQ(step.one_minus_beta2, 1 - 0.999f);
  EXPECT_FLOAT_EQ(step.rate, static_cast<float>(0.5 / (1 - 0.9 * 0.9 * 0.9)));
  EXPECT_NEAR(step.second_correction, 1 / (1 - std::pow(0.999, 3)), 1e-4);
  EXPECT_EQ(step.epsilon, 1e-8f);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, AdamTest, testing::ValuesIn(AvailableInstructionSets()));

}  // namespace
}  // namespace kwta::simd::adam_test
