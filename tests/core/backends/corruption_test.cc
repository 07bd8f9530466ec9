#include "core/backends/corruption.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace kwta::corruption_test {
namespace {

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

TEST(Dropout, HasTheStatisticsItPromises) {
  constexpr int64_t kUnits = 100'000;
  for (const float probability : {0.5f, 0.2f}) {
    std::vector<float> factors(kUnits);
    DrawDropout({probability, 5, 0}, 3, kUnits, factors.data());
    const float kept = 1 / (1 - probability);
    double dropped = 0, both = 0;
    for (int64_t j = 0; j < kUnits; ++j) {
      if (factors[j] != 0) {
        ASSERT_NEAR(factors[j], kept, 1e-6);
      }
      dropped += factors[j] == 0;
      both += j > 0 && factors[j] == 0 && factors[j - 1] == 0;
    }
    // Five standard errors. Neighbours are independent.
    EXPECT_NEAR(dropped / kUnits, probability, 5 * std::sqrt(probability * (1 - probability) / kUnits));
    EXPECT_NEAR(both / kUnits, probability * probability, 5 * std::sqrt(2.0 * probability / kUnits));
  }
  // A unit is dropped independently from row to row, and rows of a batch are those of the run.
  std::vector<float> row(1), later(1);
  int dropped = 0, twice = 0;
  constexpr int kRows = 40'000;
  float last = 1;
  for (int i = 0; i < kRows; ++i) {
    DrawDropout({0.5f, 6, 0}, i, 1, row.data());
    DrawDropout({0.5f, 6, static_cast<uint64_t>(i)}, 0, 1, later.data());
    ASSERT_EQ(row, later);
    dropped += row[0] == 0;
    twice += row[0] == 0 && last == 0;
    last = row[0];
  }
  EXPECT_NEAR(dropped / double{kRows}, 0.5, 5 * 0.5 / std::sqrt(kRows));
  EXPECT_NEAR(twice / double{kRows}, 0.25, 5 * std::sqrt(0.19 / kRows) * 1.5);
  std::vector<float> one(100), other(100);
  DrawDropout({0.5f, 6, 0}, 0, 100, one.data());
  DrawDropout({0.5f, 7, 0}, 0, 100, other.data());
  EXPECT_NE(one, other);
}

TEST(Dropout, OfInputsKeepsTheirMean) {
  constexpr int64_t kWidth = 100'000;
  std::vector<float> x(kWidth, 2.0f);
  CorruptRow({CorruptionKind::kDropout, 0.2f, 5, 0}, 3, x.data(), kWidth, x.data());
  EXPECT_EQ(std::count(x.begin(), x.end(), 0.0f) + std::count(x.begin(), x.end(), 2.5f), kWidth);
  EXPECT_NEAR(static_cast<double>(std::count(x.begin(), x.end(), 0.0f)) / kWidth, 0.2, 5 * std::sqrt(0.16 / kWidth));
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
}  // namespace kwta::corruption_test
