#include "core/research/sparse_coding/orthogonal_matching_pursuit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/core/research/sparse_coding/dictionaries.h"

namespace kwta::orthogonal_matching_pursuit_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

MatchingPursuitOptions Keep(int64_t k) {
  MatchingPursuitOptions options;
  options.k = k;
  return options;
}

TEST(OrthogonalMatchingPursuit, RecoversPlantedCodesOfEitherSign) {
  const DictionaryValues dictionary = Gaussians(200, 100, 0, 1);
  for (int trial = 0; trial < 20; ++trial) {
    Rng rng(3, trial);
    const auto order = RandomPermutation(200, rng);
    std::vector<int32_t> support(order.begin(), order.begin() + 8);
    std::sort(support.begin(), support.end());
    std::vector<double> values;
    for (int i = 0; i < 8; ++i) values.push_back((i % 2 == 0 ? 1 : -1) * (0.5 + rng.Uniform()));
    const auto solution =
        OrthogonalMatchingPursuit(dictionary.atoms(), Combine(dictionary.atoms(), support, values).data(), Keep(8));
    ASSERT_TRUE(solution.ok());
    EXPECT_EQ(solution->support, support) << trial;
    EXPECT_TRUE(solution->converged);
    for (int i = 0; i < 8; ++i) EXPECT_NEAR(solution->values[i], values[i], 1e-5);
  }
}

TEST(OrthogonalMatchingPursuit, GoesByCosineSoThatLongAtomsHaveNoAdvantage) {
  const std::vector<float> values = {1, 0, 80, 60};
  const std::vector<float> x = {1, 0.1f};
  EXPECT_THAT(OrthogonalMatchingPursuit({values.data(), 2, 2}, x.data(), Keep(1))->support, ElementsAre(0));
}

TEST(OrthogonalMatchingPursuit, ResidualFallsWithEachAtomAndIsOrthogonalToThem) {
  const DictionaryValues dictionary = Gaussians(30, 20, 0.5, 7);
  std::vector<float> x(20);
  Rng rng(8);
  for (float& value : x) value = static_cast<float>(rng.Gaussian());
  double before = Dot(x.data(), x.data(), 20);
  for (int64_t k = 1; k <= 20; ++k) {
    const auto solution = OrthogonalMatchingPursuit(dictionary.atoms(), x.data(), Keep(k));
    ASSERT_TRUE(solution.ok());
    EXPECT_LT(solution->squared_residual, before);
    before = solution->squared_residual;
    const std::vector<float> fit = Combine(dictionary.atoms(), solution->support, solution->values);
    std::vector<float> residual = x;
    for (int d = 0; d < 20; ++d) residual[d] -= fit[d];
    for (const int32_t unit : solution->support) {
      EXPECT_NEAR(Dot(residual.data(), dictionary.atoms().atom(unit), 20), 0, 1e-4);
    }
  }
  EXPECT_LT(before, 1e-8);
}

TEST(OrthogonalMatchingPursuit, StopsWhenThereIsNothingLeftToExplain) {
  const DictionaryValues dictionary = SpikesAndWaves(16);
  const std::vector<float> x = Combine(dictionary.atoms(), {5}, {2});
  const auto one = OrthogonalMatchingPursuit(dictionary.atoms(), x.data(), Keep(10));
  ASSERT_TRUE(one.ok());
  EXPECT_THAT(one->support, ElementsAre(5));
  EXPECT_EQ(one->iterations, 1);
  EXPECT_TRUE(one->converged);
  const std::vector<float> zero(16);
  EXPECT_THAT(OrthogonalMatchingPursuit(dictionary.atoms(), zero.data(), Keep(3))->support, ElementsAre());
  // Atoms that span a line only, one of them zero: x cannot be explained.
  const std::vector<float> line = {1, 0, -2, 0, 0, 0};
  const std::vector<float> off = {1, 1};
  const auto stuck = OrthogonalMatchingPursuit({line.data(), 3, 2}, off.data(), Keep(2));
  ASSERT_TRUE(stuck.ok());
  EXPECT_THAT(stuck->support, ElementsAre(0));
  EXPECT_FALSE(stuck->converged);
  EXPECT_NEAR(stuck->squared_residual, 1, 1e-12);
}

TEST(OrthogonalMatchingPursuit, RefusesWhatHasNoSolution) {
  const DictionaryValues dictionary = Gaussians(3, 8, 0, 1);
  const std::vector<float> x(8);
  absl::Status status = OrthogonalMatchingPursuit(dictionary.atoms(), x.data(), Keep(4)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("k is 4 for 3 atoms of width 8; expected 1 .. 3"));
  MatchingPursuitOptions options = Keep(1);
  options.tolerance = std::numeric_limits<double>::quiet_NaN();
  status = OrthogonalMatchingPursuit(dictionary.atoms(), x.data(), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("tolerance is nan"));
}

}  // namespace
}  // namespace kwta::orthogonal_matching_pursuit_test
