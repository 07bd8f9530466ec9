// ConvWinners and ConvPool of every backend: the same winners and the same bits as a search by the definition.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/simd/fixed_order_convolution.h"
#include "gmock/gmock.h"
#include "tests/core/backends/conformance.h"
#include "tests/core/backends/winner_problems.h"

namespace kwta::winner_conformance_test {
namespace {

using testing::Each;
using testing::ElementsAre;

// Activities z[maps, positions] of row i before ReLU, from patches that are copied out pixel by pixel.
std::vector<float> ActivitiesByDefinition(const WinnerProblem& p, int64_t i) {
  const int64_t before = (p.size - 1) / 2;
  std::vector<float> z;
  for (int64_t m = 0; m < p.maps; ++m) {
    for (int64_t position = 0; position < p.images.positions(); ++position) {
      std::vector<float> patch;
      for (int64_t c = 0; c < p.images.channels; ++c) {
        for (int64_t dy = 0; dy < p.size; ++dy) {
          for (int64_t dx = 0; dx < p.size; ++dx) {
            const int64_t y = position / p.images.width - before + dy, x = position % p.images.width - before + dx;
            const bool inside = y >= 0 && y < p.images.height && x >= 0 && x < p.images.width;
            patch.push_back(inside ? p.x[i * p.images.elements() + (c * p.images.height + y) * p.images.width + x]
                                   : 0.0f);
          }
        }
      }
      const float* filter = p.filters.data() + m * p.images.channels * p.size * p.size;
      z.push_back(
          simd::FixedOrderConvolution(patch.data(), p.size * p.size, p.size, filter, p.images.channels, p.size) +
          p.bias[m]);
    }
  }
  return z;
}

// Winners, one after the other: the largest that is left, the lowest of those.
Codes WinnersByDefinition(const WinnerProblem& p) {
  Codes codes;
  const int64_t scopes = p.scope == WinnerScope::kEachMap ? p.maps : 1;
  const int64_t scope_units = p.maps * p.images.positions() / scopes;
  for (int64_t i = 0; i < p.images.rows; ++i) {
    std::vector<float> z = ActivitiesByDefinition(p, i);
    for (int64_t s = 0; s < scopes; ++s) {
      std::vector<std::pair<int32_t, float>> found;
      for (int64_t w = 0; w < p.winners; ++w) {
        int64_t best = -1;
        for (int64_t unit = s * scope_units; unit < (s + 1) * scope_units; ++unit) {
          if (z[unit] > 0 && (best < 0 || z[unit] > z[best])) best = unit;
        }
        if (best < 0) break;
        found.emplace_back(static_cast<int32_t>(best), z[best]);
        z[best] = 0;
      }
      std::sort(found.begin(), found.end());
      found.resize(p.winners, {-1, 0.0f});
      for (const auto& [unit, value] : found) {
        codes.indices.push_back(unit);
        codes.values.push_back(value);
      }
    }
  }
  return codes;
}

class ConvWinnersConformance : public Conformance {
 protected:
  void ExpectWinners(const WinnerProblem& problem) {
    const Codes actual = RunConvWinners(*backend_, problem);
    const Codes expected = WinnersByDefinition(problem);
    EXPECT_EQ(actual.indices, expected.indices);
    EXPECT_EQ(Bits(actual.values), Bits(expected.values));
  }
};
class ConvPoolConformance : public Conformance {};

TEST_P(ConvWinnersConformance, EveryShape) {
  for (const WinnerShape& shape : WinnerShapes()) {
    for (int64_t winners : {int64_t{1}, int64_t{3}, shape.images.positions()}) {
      if (winners > shape.images.positions()) continue;
      SCOPED_TRACE(testing::Message() << shape << ", winners " << winners);
      WinnerProblem problem = RandomWinnerProblem(shape);
      problem.winners = winners;
      ExpectWinners(problem);
      problem.scope = WinnerScope::kAcrossMaps;
      ExpectWinners(problem);
    }
  }
}

TEST_P(ConvWinnersConformance, AllActivitiesAcrossMaps) {
  WinnerProblem problem = RandomWinnerProblem({{2, 2, 5, 6}, 3, 3});
  problem.scope = WinnerScope::kAcrossMaps;
  problem.winners = 90;
  ExpectWinners(problem);
}

TEST_P(ConvWinnersConformance, PositionsOutsideTheImageAreNotThere) {
  // One bright pixel in the last row, and filters that see it from the row beyond alone, at each end and in the middle.
  WinnerProblem problem = RandomWinnerProblem({{3, 1, 5, 6}, 2, 3});
  std::fill(problem.x.begin(), problem.x.end(), 0.0f);
  std::fill(problem.filters.begin(), problem.filters.end(), 0.0f);
  std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
  problem.x[4 * 6] = problem.x[30 + 4 * 6 + 2] = problem.x[2 * 30 + 4 * 6 + 5] = 5;
  problem.filters[1] = problem.filters[9 + 1] = 1;
  EXPECT_THAT(RunConvWinners(*backend_, problem).indices, testing::Each(-1));
  ExpectWinners(problem);
  problem.scope = WinnerScope::kAcrossMaps;
  ExpectWinners(problem);
}

TEST_P(ConvWinnersConformance, TiesGoToTheLowestPosition) {
  // Black images: every activity of a map is its bias.
  WinnerProblem problem = RandomWinnerProblem({{2, 1, 6, 7}, 3, 5});
  std::fill(problem.x.begin(), problem.x.end(), 0.0f);
  problem.bias = {0.5f, 0, 0.5f};
  problem.winners = 2;
  EXPECT_THAT(RunConvWinners(*backend_, problem).indices, ElementsAre(0, 1, -1, -1, 84, 85, 0, 1, -1, -1, 84, 85));
  problem.scope = WinnerScope::kAcrossMaps;
  problem.winners = 44;
  const std::vector<int32_t> units = RunConvWinners(*backend_, problem).indices;
  EXPECT_EQ(units[41], 41);
  EXPECT_EQ(units[42], 84);
  EXPECT_EQ(units[43], 85);
  ExpectWinners(problem);
}

TEST_P(ConvWinnersConformance, TiesOfRepeatedPatternsAndMaps) {
  // An image with period 5 in both directions, and every map four times.
  WinnerProblem problem = RandomWinnerProblem({{2, 1, 28, 28}, 12, 4});
  for (int64_t p = 0; p < 2 * 28 * 28; ++p) problem.x[p] = problem.x[p / 28 % 5 * 28 + p % 28 % 5];
  for (int64_t m = 3; m < problem.maps; ++m) {
    std::copy_n(problem.filters.begin() + m % 3 * 16, 16, problem.filters.begin() + m * 16);
    problem.bias[m] = problem.bias[m % 3];
  }
  for (int64_t winners : {1, 7, 50}) {
    problem.winners = winners;
    problem.scope = WinnerScope::kEachMap;
    ExpectWinners(problem);
    problem.scope = WinnerScope::kAcrossMaps;
    ExpectWinners(problem);
  }
}

TEST_P(ConvWinnersConformance, ActivitiesOneUnitInTheLastPlaceApart) {
  // One bright pixel at every third position, all the same but for one bit.
  WinnerProblem problem = RandomWinnerProblem({{3, 1, 20, 20}, 9, 3});
  Rng rng(4);
  std::fill(problem.x.begin(), problem.x.end(), 0.0f);
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t y = 1; y < 20; y += 3) {
      for (int64_t x = 1; x < 20; x += 3) {
        problem.x[i * 400 + y * 20 + x] = std::nextafter(0.7f, rng.UniformBelow(2) ? 1.0f : 0.0f);
      }
    }
  }
  for (int64_t winners : {1, 4}) {
    problem.winners = winners;
    ExpectWinners(problem);
  }
}

TEST_P(ConvWinnersConformance, MapsWithoutPositiveActivityHaveNoWinner) {
  WinnerProblem problem = RandomWinnerProblem({{3, 2, 9, 8}, 4, 3});
  std::fill(problem.bias.begin(), problem.bias.end(), -1000.0f);
  for (WinnerScope scope : {WinnerScope::kEachMap, WinnerScope::kAcrossMaps}) {
    problem.scope = scope;
    problem.winners = 2;
    const Codes codes = RunConvWinners(*backend_, problem);
    EXPECT_THAT(codes.indices, Each(-1));
    EXPECT_THAT(Bits(codes.values), Each(0u));
  }
  // Exactly zero is not above zero, nor is minus zero.
  std::fill(problem.x.begin(), problem.x.end(), 0.0f);
  problem.bias = {0.0f, -0.0f, 1e-45f, 0.0f};
  problem.scope = WinnerScope::kEachMap;
  problem.winners = 1;
  problem.images.rows = 1;
  EXPECT_THAT(RunConvWinners(*backend_, problem).indices, ElementsAre(-1, -1, 144, -1));
}

TEST_P(ConvWinnersConformance, SubnormalAndHugeNumbers) {
  for (float scale : {0x1p-75f, 0x1p-70f, 0x1p62f, 0x1p64f, 0x1p70f}) {
    SCOPED_TRACE(scale);
    WinnerProblem problem = RandomWinnerProblem({{2, 2, 12, 9}, 6, 5});
    for (float& value : problem.x) value *= scale;
    for (float& value : problem.filters) value *= scale;
    std::fill(problem.bias.begin(), problem.bias.end(), 0.0f);
    for (WinnerScope scope : {WinnerScope::kEachMap, WinnerScope::kAcrossMaps}) {
      problem.scope = scope;
      problem.winners = 2;
      ExpectWinners(problem);
    }
  }
}

TEST_P(ConvWinnersConformance, InfinityWinsAndNaNWinsNothing) {
  // One column: 2^100 * 2^100 overflows; with -2^100 beside it in another column the sum is NaN.
  WinnerProblem problem = RandomWinnerProblem({{1, 1, 1, 4}, 1, 2});
  const float big = 0x1p100f;
  problem.filters = {big, big, 0, 0};
  problem.bias = {1};
  problem.x = {0.0f, big, -big, 0.0f};
  // Activities: infinity (0 and big), NaN, -infinity, 1. Image rows 0 and 1 are seen; columns x and x + 1.
  ASSERT_TRUE(std::isnan(ActivitiesByDefinition(problem, 0)[1]));
  problem.winners = 4;
  EXPECT_THAT(RunConvWinners(*backend_, problem).indices, ElementsAre(0, 3, -1, -1));
  ExpectWinners(problem);
}

TEST_P(ConvWinnersConformance, ARowsWinnersAreTheSameAloneAndInAnyBatch) {
  const WinnerProblem problem = RandomWinnerProblem({{37, 1, 28, 28}, 16, 7});
  const Codes together = RunConvWinners(*backend_, problem);
  for (int64_t row : {0, 17, 36}) {
    WinnerProblem alone = problem;
    alone.images.rows = 1;
    alone.x.assign(problem.x.begin() + row * 784, problem.x.begin() + (row + 1) * 784);
    const Codes codes = RunConvWinners(*backend_, alone);
    for (int64_t e = 0; e < 16; ++e) {
      EXPECT_EQ(codes.indices[e], together.indices[row * 16 + e]);
      EXPECT_EQ(codes.values[e], together.values[row * 16 + e]);
    }
  }
}

std::vector<float> PooledByDefinition(const WinnerProblem& p, const Pooling& pooling) {
  std::vector<float> out;
  for (int64_t i = 0; i < p.images.rows; ++i) {
    const std::vector<float> z = ActivitiesByDefinition(p, i);
    for (int64_t m = 0; m < p.maps; ++m) {
      for (int64_t py = 0; py < pooling.Extent(p.images.height); ++py) {
        for (int64_t px = 0; px < pooling.Extent(p.images.width); ++px) {
          float largest = 0;
          for (int64_t position = 0; position < p.images.positions(); ++position) {
            const int64_t dy = position / p.images.width - (py * pooling.stride - pooling.padding);
            const int64_t dx = position % p.images.width - (px * pooling.stride - pooling.padding);
            if (dy < 0 || dy >= pooling.width || dx < 0 || dx >= pooling.width) continue;
            if (z[m * p.images.positions() + position] > largest) largest = z[m * p.images.positions() + position];
          }
          out.push_back(largest);
        }
      }
    }
  }
  return out;
}

TEST_P(ConvPoolConformance, EveryShapeAndPooling) {
  for (const WinnerShape& shape : WinnerShapes()) {
    for (const Pooling& pooling :
         std::vector<Pooling>{{1, 1, 0}, {5, 3, 2}, {5, 4, 2}, {3, 2, 1}, {2, 2, 0}, {4, 5, 3}}) {
      if (std::min(shape.images.height, shape.images.width) + 2 * pooling.padding < pooling.width) continue;
      SCOPED_TRACE(testing::Message() << shape << ", pooling " << pooling.width << "/" << pooling.stride << "/"
                                      << pooling.padding);
      const WinnerProblem problem = RandomWinnerProblem(shape);
      EXPECT_EQ(Bits(RunConvPool(*backend_, problem, pooling)), Bits(PooledByDefinition(problem, pooling)));
    }
  }
}

TEST_P(ConvPoolConformance, ThePapersGeometry) {
  const Pooling mnist{5, 3, 2}, cifar{5, 4, 2};
  EXPECT_EQ(mnist.Extent(28), 10);
  EXPECT_EQ(cifar.Extent(32), 8);
  EXPECT_EQ(RunConvPool(*backend_, RandomWinnerProblem({{1, 1, 28, 28}, 2, 7}), mnist).size(), 2u * 10 * 10);
  EXPECT_EQ(RunConvPool(*backend_, RandomWinnerProblem({{1, 3, 32, 32}, 2, 9}), cifar).size(), 2u * 8 * 8);
}

TEST_P(ConvPoolConformance, WindowsWithoutPositiveActivityAreZero) {
  WinnerProblem problem = RandomWinnerProblem({{2, 1, 9, 8}, 3, 3});
  std::fill(problem.bias.begin(), problem.bias.end(), -1000.0f);
  EXPECT_THAT(Bits(RunConvPool(*backend_, problem, {3, 2, 1})), Each(0u));
}

TEST_P(ConvPoolConformance, ARowsMapsAreTheSameAloneAndInAnyBatch) {
  const WinnerProblem problem = RandomWinnerProblem({{23, 1, 28, 28}, 16, 7});
  const std::vector<float> together = RunConvPool(*backend_, problem, {5, 3, 2});
  for (int64_t row : {0, 11, 22}) {
    WinnerProblem alone = problem;
    alone.images.rows = 1;
    alone.x.assign(problem.x.begin() + row * 784, problem.x.begin() + (row + 1) * 784);
    EXPECT_EQ(Bits(RunConvPool(*backend_, alone, {5, 3, 2})),
              Bits(std::vector<float>(together.begin() + row * 1600, together.begin() + (row + 1) * 1600)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, ConvWinnersConformance, testing::ValuesIn(AllBackendCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(All, ConvPoolConformance, testing::ValuesIn(AllBackendCases()), CaseName);

}  // namespace
}  // namespace kwta::winner_conformance_test
