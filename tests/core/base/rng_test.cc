#include "core/base/rng.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta {
namespace {

TEST(Rng, ASeedAlwaysGivesTheSameNumbers) {
  // Models depend on these numbers: a change here changes every training run.
  Rng rng(1);
  EXPECT_EQ(rng.UniformBelow(1u << 20), 818352u);
  EXPECT_EQ(rng.UniformBelow(1u << 20), 443758u);
}

TEST(Rng, SeedsAndStreamsDiffer) {
  std::set<uint64_t> firsts;
  for (uint64_t seed : {0, 1, 2}) {
    for (uint64_t stream : {0, 1, 2}) firsts.insert(Rng(seed, stream).UniformBelow(~uint64_t{0}));
  }
  EXPECT_EQ(firsts.size(), 9u);
}

TEST(Rng, UniformBelowReachesEveryValueEquallyOften) {
  Rng rng(3);
  std::map<uint64_t, int> counts;
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts[rng.UniformBelow(7)];
  ASSERT_EQ(counts.size(), 7u);
  EXPECT_EQ(counts.rbegin()->first, 6u);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, kDraws / 7, 500) << value;  // five standard deviations
}

TEST(Rng, UniformBelowHasNoBiasForBoundsThatDoNotDivide) {
  // With a bound of 3/4 of the range, taking remainders alone would give the lowest third twice as often.
  const uint64_t bound = uint64_t{3} << 62;
  Rng rng(4);
  constexpr int kDraws = 30000;
  int low = 0;
  for (int i = 0; i < kDraws; ++i) {
    const uint64_t draw = rng.UniformBelow(bound);
    ASSERT_LT(draw, bound);
    low += draw < bound / 3;
  }
  EXPECT_NEAR(low, kDraws / 3, 500);  // six standard deviations
}

TEST(Rng, UniformIsNeverZeroAndHasTheRightMean) {
  Rng rng(5);
  double sum = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = rng.Uniform();
    ASSERT_GT(draw, 0);
    ASSERT_LE(draw, 1);
    sum += draw;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
}

TEST(Rng, GaussianHasTheMomentsOfTheStandardNormal) {
  Rng rng(6);
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, fourths = 0, neighbours = 0, before = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = rng.Gaussian();
    sum += draw;
    squares += draw * draw;
    fourths += std::pow(draw, 4);
    neighbours += draw * before;
    before = draw;
  }
  EXPECT_NEAR(sum / kDraws, 0, 0.02);
  EXPECT_NEAR(squares / kDraws, 1, 0.03);
  EXPECT_NEAR(fourths / kDraws, 3, 0.2);
  EXPECT_NEAR(neighbours / kDraws, 0, 0.02);
}

TEST(RandomPermutation, HoldsEveryNumberOnceAndDependsOnTheStream) {
  Rng first(7), again(7), other(8);
  const std::vector<uint32_t> order = RandomPermutation(1000, first);
  EXPECT_EQ(order, RandomPermutation(1000, again));
  EXPECT_NE(order, RandomPermutation(1000, other));
  std::vector<uint32_t> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(sorted[i], i);
  EXPECT_NE(order, sorted);
}

TEST(RandomPermutation, AllOrdersAreEquallyLikely) {
  Rng rng(9);
  std::map<std::vector<uint32_t>, int> counts;
  for (int i = 0; i < 12000; ++i) ++counts[RandomPermutation(4, rng)];
  ASSERT_EQ(counts.size(), 24u);
  for (const auto& [order, count] : counts) EXPECT_NEAR(count, 500, 120) << testing::PrintToString(order);
}

TEST(RandomPermutation, NothingAndOneAreFine) {
  Rng rng(10);
  EXPECT_TRUE(RandomPermutation(0, rng).empty());
  EXPECT_THAT(RandomPermutation(1, rng), testing::ElementsAre(0));
}

}  // namespace
}  // namespace kwta
