#include "core/backends/regularised_args.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace kwta::regularised_args_test {
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

TEST(Corruption, HasTheStatisticsItPromises) {
  constexpr int64_t kWidth = 100'000;
  std::vector<float> x(kWidth, 2.0f), noisy(kWidth), masked(kWidth);
  CorruptRow({CorruptionKind::kGaussian, 0.09f, 5, 0}, 3, x.data(), kWidth, noisy.data());
  double sum = 0, squares = 0, product = 0;
  for (int64_t d = 0; d < kWidth; ++d) {
    const double e = noisy[d] - 2.0;
    sum += e;
    squares += e * e;
    if (d > 0) product += e * (noisy[d - 1] - 2.0);
  }
  // Five standard errors.
  EXPECT_NEAR(sum / kWidth, 0, 5 * 0.3 / std::sqrt(kWidth));
  EXPECT_NEAR(squares / kWidth, 0.09, 5 * 0.09 * std::sqrt(2.0 / kWidth));
  EXPECT_NEAR(product / kWidth, 0, 5 * 0.09 / std::sqrt(kWidth));
  CorruptRow({CorruptionKind::kMasking, 0.3f, 5, 0}, 3, x.data(), kWidth, masked.data());
  const auto hidden = std::count(masked.begin(), masked.end(), 0.0f);
  EXPECT_EQ(hidden + std::count(masked.begin(), masked.end(), 2.0f), kWidth);
  EXPECT_NEAR(static_cast<double>(hidden) / kWidth, 0.3, 5 * std::sqrt(0.21 / kWidth));
}

TEST(Corruption, DependsOnTheRowOfTheRunAlone) {
  const std::vector<float> x(10, 1.0f);
  const auto row = [&x](uint64_t seed, uint64_t first, int64_t i) {
    std::vector<float> out(10);
    CorruptRow({CorruptionKind::kGaussian, 1, seed, first}, i, x.data(), 10, out.data());
    return out;
  };
  EXPECT_EQ(row(1, 100, 7), row(1, 104, 3));
  EXPECT_NE(row(1, 100, 7), row(1, 100, 8));
  EXPECT_NE(row(1, 100, 7), row(2, 100, 7));
  std::vector<float> same(10);
  CorruptRow({CorruptionKind::kMasking, 0, 1, 0}, 0, x.data(), 10, same.data());
  EXPECT_EQ(same, x);
}

}  // namespace
}  // namespace kwta::regularised_args_test
