#include "core/research/sparse_coding/iterative_thresholding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/research/sparse_coding/dictionaries.h"

namespace kwta::iterative_thresholding_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(LargestEntries, GiveTiesToTheLowestIndex) {
  const std::vector<double> values = {1, -5, 2, 1, 2, 1};
  EXPECT_THAT(LargestEntries(values, 4, Largest::kSigned), ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(LargestEntries(values, 3, Largest::kMagnitude), ElementsAre(1, 2, 4));
}

TEST(IterativeThresholding, RecoversPlantedCodesOfIncoherentAtoms) {
  const DictionaryValues dictionary = Gaussians(200, 100, 0, 1);
  for (int trial = 0; trial < 20; ++trial) {
    Rng rng(2, trial);
    const auto order = RandomPermutation(200, rng);
    std::vector<int32_t> support(order.begin(), order.begin() + 5);
    std::sort(support.begin(), support.end());
    std::vector<double> values;
    for (int i = 0; i < 5; ++i) values.push_back(0.6 + 0.4 * rng.Uniform());
    IterativeThresholdingOptions options;
    options.k = 5;
    const auto solution =
        IterativeThresholding(dictionary.atoms(), Combine(dictionary.atoms(), support, values).data(), options);
    ASSERT_TRUE(solution.ok());
    EXPECT_EQ(solution->support, support) << trial;
    EXPECT_TRUE(solution->converged);
    EXPECT_LT(solution->squared_residual, 1e-10);
    for (int i = 0; i < 5; ++i) EXPECT_NEAR(solution->values[i], values[i], 1e-5);
  }
}

// The first support estimate is wrong here: atom 2 lies between the two that make x. The inversion mends it.
TEST(IterativeThresholding, MendsAWrongFirstEstimate) {
  // Columns: two planted atoms with unequal weights, a decoy close to the heavy one.
  const std::vector<float> values = {1, 0, 0, 0, 0, 1, 0, 0, 0.8f, 0, 0.6f, 0};
  const Atoms atoms{values.data(), 3, 4};
  const std::vector<float> x = Combine(atoms, {0, 1}, {1, 0.5});
  EXPECT_THAT(LargestEntries(Correlations(atoms, x.data()), 2, Largest::kSigned), ElementsAre(0, 2));
  IterativeThresholdingOptions options;
  options.k = 2;
  const auto solution = IterativeThresholding(atoms, x.data(), options);
  ASSERT_TRUE(solution.ok());
  EXPECT_THAT(solution->support, ElementsAre(0, 1));
  EXPECT_EQ(solution->iterations, 2);
  EXPECT_NEAR(solution->values[1], 0.5, 1e-6);
}

TEST(IterativeThresholding, FindsNegativeEntriesByMagnitude) {
  const DictionaryValues dictionary = SpikesAndWaves(64);
  const std::vector<float> x = Combine(dictionary.atoms(), {3, 70}, {-1, 0.9});
  IterativeThresholdingOptions options;
  options.k = 2;
  options.largest = Largest::kMagnitude;
  EXPECT_THAT(IterativeThresholding(dictionary.atoms(), x.data(), options)->support, ElementsAre(3, 70));
}

TEST(IterativeThresholding, GivesDependentAtomsNoEntry) {
  const std::vector<float> values = {1, 0, 1, 0, 0, 1};  // atoms 0 and 1 are the same
  const std::vector<float> x = {2, 0.1f};
  IterativeThresholdingOptions options;
  options.k = 2;
  const auto solution = IterativeThresholding({values.data(), 3, 2}, x.data(), options);
  ASSERT_TRUE(solution.ok());
  EXPECT_THAT(solution->support, ElementsAre(0, 2));
  EXPECT_LT(solution->squared_residual, 1e-12);
}

TEST(IterativeThresholding, KeepsTheBestIterateOfARunThatDoesNotSettle) {
  const DictionaryValues dictionary = Gaussians(60, 20, 0.8, 4);
  IterativeThresholdingOptions options;
  options.k = 8;
  int unsettled = 0;
  for (int trial = 0; trial < 20; ++trial) {
    Rng rng(9, trial);
    std::vector<float> x(20);
    for (float& value : x) value = static_cast<float>(rng.Gaussian());
    options.max_iterations = 30;
    const auto longer = IterativeThresholding(dictionary.atoms(), x.data(), options);
    options.max_iterations = 1;
    const auto shorter = IterativeThresholding(dictionary.atoms(), x.data(), options);
    ASSERT_TRUE(longer.ok() && shorter.ok());
    if (longer->converged) continue;
    ++unsettled;
    EXPECT_EQ(longer->iterations, 30);
    EXPECT_LE(longer->squared_residual, shorter->squared_residual);
  }
  EXPECT_GT(unsettled, 0);
}

TEST(IterativeThresholding, RefusesSparsitiesWithoutSolution) {
  const DictionaryValues dictionary = Gaussians(10, 4, 0, 1);
  const std::vector<float> x(4);
  for (const int64_t k : {0, 5}) {
    IterativeThresholdingOptions options;
    options.k = k;
    const absl::Status status = IterativeThresholding(dictionary.atoms(), x.data(), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("10 atoms of width 4; expected 1 .. 4"));
  }
  IterativeThresholdingOptions options;
  options.k = 1;
  options.max_iterations = 0;
  const absl::Status status = IterativeThresholding(dictionary.atoms(), x.data(), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("max_iterations is 0"));
}

}  // namespace
}  // namespace kwta::iterative_thresholding_test
