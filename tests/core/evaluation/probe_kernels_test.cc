#include "core/evaluation/probe_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/rng.h"

namespace kwta::probe_kernels_test {
namespace {

std::vector<float> Gaussian(int64_t size, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

class ProbeKernelsTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  const ProbeKernels& kernels_ = ProbeKernelsFor(GetParam());
};

TEST_P(ProbeKernelsTest, ProductsAreThoseOfPlainLoops) {
  for (const int lanes : {16, 32}) {
    for (const int64_t rows : {1, 2, 7, 12, 29}) {
      for (const int64_t count : {1, 5, 12, 13, 64}) {
        const std::vector<float> x = Gaussian(rows * count, 1), w = Gaussian(count * lanes, 2);
        std::vector<float> sums = Gaussian(rows * lanes, 3), gradient = Gaussian(count * lanes, 4);
        std::vector<double> expected_sums(sums.begin(), sums.end()), expected(gradient.begin(), gradient.end());
        const std::vector<float> p = sums;
        for (int64_t r = 0; r < rows; ++r) {
          for (int64_t d = 0; d < count; ++d) {
            for (int c = 0; c < lanes; ++c) {
              expected_sums[r * lanes + c] += double{x[r * count + d]} * w[d * lanes + c];
              expected[d * lanes + c] += double{x[r * count + d]} * p[r * lanes + c];
            }
          }
        }
        kernels_.multiply(x.data(), w.data(), rows, count, lanes, sums.data());
        kernels_.add_transposed(x.data(), p.data(), rows, count, lanes, gradient.data());
        for (size_t i = 0; i < sums.size(); ++i) ASSERT_NEAR(sums[i], expected_sums[i], 2e-5) << rows << " " << count;
        for (size_t i = 0; i < gradient.size(); ++i)
          ASSERT_NEAR(gradient[i], expected[i], 2e-5) << rows << " " << count;
      }
    }
  }
}

TEST_P(ProbeKernelsTest, TransformShiftsScalesAndDropsTheAskedFraction) {
  const int64_t count = 20'001;
  const std::vector<float> original = Gaussian(count, 5), shift = Gaussian(count, 6), factor = Gaussian(count, 7);
  std::vector<float> x = original;
  kernels_.transform(x.data(), shift.data(), factor.data(), count, 0, {});
  for (int64_t i = 0; i < count; ++i) ASSERT_FLOAT_EQ(x[i], (original[i] - shift[i]) * factor[i]);

  const ProbeDropout dropout{12345, 3 << 22, 4.0f};  // three quarters
  std::vector<float> dropped = original;
  kernels_.transform(dropped.data(), shift.data(), factor.data(), count, 0, dropout);
  int64_t zeros = 0, runs = 0;
  for (int64_t i = 0; i < count; ++i) {
    if (dropped[i] == 0) {
      runs += i > 0 && dropped[i - 1] == 0;
      ++zeros;
    } else {
      ASSERT_FLOAT_EQ(dropped[i], 4 * x[i]);
    }
  }
  EXPECT_NEAR(static_cast<double>(zeros) / count, 0.75, 0.02);
  EXPECT_NEAR(static_cast<double>(runs) / count, 0.5625, 0.02);  // neighbours are independent
  // Element numbers, not places, decide: the second half alone comes out the same.
  std::vector<float> half(original.begin() + 10'000, original.end());
  kernels_.transform(half.data(), shift.data() + 10'000, factor.data() + 10'000, count - 10'000, 10'000, dropout);
  for (int64_t i = 10'000; i < count; ++i) ASSERT_EQ(half[i - 10'000], dropped[i]);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, ProbeKernelsTest, testing::ValuesIn(simd::AvailableInstructionSets()));

}  // namespace
}  // namespace kwta::probe_kernels_test
