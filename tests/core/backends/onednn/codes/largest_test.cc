#include "core/backends/onednn/codes/largest.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::largest_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class LargestTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  const LargestKernels& kernels_ = LargestKernelsFor(GetParam());

  // n scores, of which many are equal if `coarse`, and padding.
  static std::vector<float> Random(int64_t n, bool coarse) {
    Rng rng(n);
    std::vector<float> scores(PaddedScores(n), -kInfinity);
    for (int64_t i = 0; i < n; ++i) {
      const double score = rng.Gaussian();
      scores[i] = static_cast<float>(coarse ? std::round(score * 4) : score);
    }
    return scores;
  }
};

TEST_P(LargestTest, CollectsEveryScoreThatReachesTheThreshold) {
  for (int64_t n = 1; n <= 200; ++n) {
    const std::vector<float> scores = Random(n, true);
    for (float threshold : {-100.0f, -1.0f, 0.0f, 3.0f, 100.0f}) {
      std::vector<int32_t> expected;
      for (int64_t i = 0; i < n; ++i) {
        if (scores[i] >= threshold) expected.push_back(static_cast<int32_t>(i));
      }
      std::vector<int32_t> collected(scores.size() + 16);
      const auto padded = static_cast<int64_t>(scores.size());
      collected.resize(kernels_.collect(scores.data(), padded, threshold, collected.data()));
      EXPECT_EQ(collected, expected);
    }
  }
}

TEST_P(LargestTest, CollectsEveryScoreWhoseErrorMayTakeItToTheThreshold) {
  for (int64_t n : {1, 5, 16, 17, 64, 200, 203}) {
    const std::vector<float> scores = Random(n, true);
    std::vector<float> of_norm(n), of_residual(n), constant(n);
    for (int64_t i = 0; i < n; ++i) {
      of_norm[i] = static_cast<float>(i % 3) / 8;
      of_residual[i] = static_cast<float>(i % 5) / 4;
      constant[i] = static_cast<float>(i % 7) / 16;
    }
    const ScoreErrors errors = {2, 0.5f, of_norm.data(), of_residual.data(), constant.data()};
    for (float threshold : {-100.0f, -1.0f, 0.0f, 3.0f, 100.0f}) {
      std::vector<int32_t> expected;
      for (int64_t i = 0; i < n; ++i) {
        // Exact in binary32.
        const float highest = scores[i] + 2 * of_norm[i] + 0.5f * of_residual[i] + constant[i];
        if (highest >= threshold) expected.push_back(static_cast<int32_t>(i));
      }
      std::vector<int32_t> collected(n + 16);
      collected.resize(kernels_.collect_within(scores.data(), n, threshold, errors, collected.data()));
      EXPECT_EQ(collected, expected);
    }
  }
}

TEST_P(LargestTest, TheExactThresholdIsTheKthLargestOrPartsItFromTheNext) {
  for (int64_t n : {1, 2, 15, 64, 65, 200, 1000}) {
    for (bool coarse : {false, true}) {
      const std::vector<float> scores = Random(n, coarse);
      std::vector<float> sorted(scores.begin(), scores.begin() + n);
      std::sort(sorted.begin(), sorted.end(), std::greater<float>());
      for (int64_t k : {int64_t{1}, n / 3, n - 1, n}) {
        if (k < 1) continue;
        const float threshold = kernels_.threshold(scores.data(), static_cast<int64_t>(scores.size()), k, k);
        EXPECT_LE(threshold, sorted[k - 1]);
        if (k == n) continue;
        if (sorted[k] == sorted[k - 1]) {
          EXPECT_EQ(threshold, sorted[k - 1]);
        } else {
          EXPECT_GT(threshold, sorted[k]);
        }
      }
    }
  }
}

TEST_P(LargestTest, ALooseThresholdIsReachedByAtLeastKAndFewMore) {
  const std::vector<float> scores = Random(1000, false);
  for (int64_t k : {1, 25, 75, 500}) {
    const float threshold = kernels_.threshold(scores.data(), static_cast<int64_t>(scores.size()), k, k + k / 8 + 1);
    const auto count = std::count_if(scores.begin(), scores.end(), [=](float score) { return score >= threshold; });
    EXPECT_GE(count, k);
    EXPECT_LE(count, k + k / 8 + 1);
  }
}

TEST_P(LargestTest, NumbersOfAllMagnitudesEndTheSearch) {
  std::vector<float> scores(64, -kInfinity);
  for (int i = 0; i < 40; ++i) scores[i] = std::ldexp(i % 2 ? -1.0f : 1.0f, 5 * i - 140);
  std::vector<float> sorted(scores.begin(), scores.begin() + 40);
  std::sort(sorted.begin(), sorted.end(), std::greater<float>());
  for (int64_t k = 1; k < 40; ++k) {
    const float threshold = kernels_.threshold(scores.data(), 64, k, k);
    EXPECT_LE(threshold, sorted[k - 1]);
    EXPECT_GT(threshold, sorted[k]);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LargestTest, testing::ValuesIn(simd::AvailableInstructionSets()));

}  // namespace
}  // namespace kwta::onednn::codes::largest_test
