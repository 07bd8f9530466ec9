#include "core/research/sparse_coding/support_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/research/sparse_coding/dictionaries.h"

namespace kwta::support_recovery_test {
namespace {

using testing::HasSubstr;

SupportRecovery Measure(const Atoms& atoms, int64_t k, double smallest_to_largest, int64_t trials, int threads = 2) {
  SupportRecoveryOptions options;
  options.k = k;
  options.smallest_to_largest = smallest_to_largest;
  options.trials = trials;
  ThreadPool pool(threads);
  const auto result = MeasureSupportRecovery(atoms, options, pool);
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

// Theorem 3.1 with mu = 1 / 16: k <= 8 if all entries are equal, k <= 4 if the smallest is half the largest.
TEST(SupportRecovery, OneStepAlwaysSucceedsWhereTheTheoremPromisesIt) {
  const DictionaryValues dictionary = SpikesAndWaves(256);
  const struct {
    int64_t k;
    double smallest_to_largest;
  } promised[] = {{1, 1}, {2, 0.3}, {4, 0.52}, {7, 0.9}, {7, 1}};
  for (const auto& setting : promised) {
    const SupportRecovery result = Measure(dictionary.atoms(), setting.k, setting.smallest_to_largest, 60);
    EXPECT_NEAR(result.coherence, 1.0 / 16, 1e-6);
    EXPECT_TRUE(result.condition_holds) << setting.k;
    EXPECT_EQ(result.by_one_step, 60) << setting.k;
    EXPECT_EQ(result.by_iterative_thresholding, 60) << setting.k;
    EXPECT_EQ(result.by_matching_pursuit, 60) << setting.k;
  }
}

TEST(SupportRecovery, OneStepFailsWhereTheConditionIsViolatedStrongly) {
  const DictionaryValues coherent = Gaussians(200, 50, 1, 3);  // cosines around 0.5
  const SupportRecovery result = Measure(coherent.atoms(), 10, 0.2, 60);
  EXPECT_FALSE(result.condition_holds);
  EXPECT_GT(result.condition_left, 10 * result.condition_right);
  EXPECT_LT(result.by_one_step, 3);
}

TEST(SupportRecovery, IterationsFindMoreThanOneStepBeyondTheCondition) {
  const DictionaryValues dictionary = Gaussians(300, 150, 0, 4);
  const SupportRecovery result = Measure(dictionary.atoms(), 12, 0.4, 60);
  EXPECT_FALSE(result.condition_holds);
  EXPECT_LT(result.by_one_step, 20);
  EXPECT_GT(result.by_iterative_thresholding, 50);
  EXPECT_GT(result.by_matching_pursuit, 50);
}

TEST(SupportRecovery, DoesNotDependOnThreadsOrOnTheLengthsOfAtoms) {
  DictionaryValues dictionary = Gaussians(100, 60, 0, 5);
  const SupportRecovery one = Measure(dictionary.atoms(), 6, 0.5, 40, 1);
  for (int64_t h = 0; h < 100; h += 2) {
    for (int64_t d = 0; d < 60; ++d) dictionary.values[h * 60 + d] *= 8;
  }
  const SupportRecovery other = Measure(dictionary.atoms(), 6, 0.5, 40, 3);
  EXPECT_GT(one.by_one_step, 0);
  EXPECT_LT(one.by_one_step, 40);
  EXPECT_EQ(one.by_one_step, other.by_one_step);
  EXPECT_EQ(one.by_iterative_thresholding, other.by_iterative_thresholding);
  EXPECT_NEAR(one.coherence, other.coherence, 1e-7);
}

TEST(SupportRecovery, RefusesOptionsOutOfRange) {
  DictionaryValues dictionary = Gaussians(20, 10, 0, 6);
  ThreadPool pool(1);
  const auto message = [&](const SupportRecoveryOptions& options) {
    const absl::Status status = MeasureSupportRecovery(dictionary.atoms(), options, pool).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  SupportRecoveryOptions options;
  options.k = 11;
  EXPECT_THAT(message(options), HasSubstr("k is 11 for 20 atoms of width 10"));
  options = {};
  options.smallest_to_largest = 0;
  EXPECT_THAT(message(options), HasSubstr("smallest_to_largest is 0"));
  options = {};
  options.trials = 0;
  EXPECT_THAT(message(options), HasSubstr("trials is 0"));
  std::fill_n(dictionary.values.begin() + 30, 10, 0.0f);
  EXPECT_THAT(message({}), HasSubstr("atom 3 is zero"));
}

}  // namespace
}  // namespace kwta::support_recovery_test
