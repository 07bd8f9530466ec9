#include "core/backends/onednn/support/row_operations.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "gtest/gtest.h"

namespace kwta::onednn::support::row_operations_test {
namespace {

class RowOperationsTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  const RowOperations& kernels_ = RowOperationsFor(GetParam());

  std::vector<float> Random(int64_t n, uint64_t seed) {
    Rng rng(seed);
    std::vector<float> values(n);
    for (float& value : values) value = static_cast<float>(rng.Gaussian());
    return values;
  }
};

TEST_P(RowOperationsTest, SquaredNormHasTheRangeAndPrecisionOfBinary64) {
  for (int64_t n = 1; n <= 70; ++n) {
    for (float scale : {1.0f, 1e-40f, 1e30f}) {
      std::vector<float> x = Random(n, n);
      double expected = 0;
      for (float& value : x) {
        value *= scale;
        expected += static_cast<double>(value) * value;
      }
      EXPECT_NEAR(kernels_.squared_norm(x.data(), n), expected, expected * 1e-14);
    }
  }
}

TEST_P(RowOperationsTest, WeightedSumTakesAnyNumberOfRows) {
  for (int64_t n : {1, 5, 16, 37}) {
    for (int64_t count = 0; count <= 9; ++count) {
      for (bool with_initial : {false, true}) {
        const std::vector<float> initial = Random(n, 1), scales = Random(count, 2), data = Random(count * n, 3);
        std::vector<const float*> rows;
        for (int64_t q = 0; q < count; ++q) rows.push_back(data.data() + q * n);
        std::vector<float> out(n, 77.0f);
        kernels_.weighted_sum(with_initial ? initial.data() : nullptr, rows.data(), scales.data(), count, n,
                              out.data());
        for (int64_t i = 0; i < n; ++i) {
          double expected = with_initial ? initial[i] : 0;
          for (int64_t q = 0; q < count; ++q) expected += static_cast<double>(scales[q]) * rows[q][i];
          EXPECT_NEAR(out[i], expected, 1e-5) << n << " elements, " << count << " rows, element " << i;
        }
      }
    }
  }
}

TEST_P(RowOperationsTest, ScaleRoundsOnce) {
  for (int64_t n : {1, 7, 8, 33}) {
    const double factor = 1.0 / 3;
    const std::vector<float> x = Random(n, 4);
    std::vector<float> scaled = x;
    kernels_.scale(factor, scaled.data(), n);
    for (int64_t i = 0; i < n; ++i) EXPECT_EQ(scaled[i], static_cast<float>(x[i] * factor));
  }
}

TEST_P(RowOperationsTest, MomentumFollowsTheEquation) {
  for (int64_t n : {1, 15, 16, 50}) {
    for (bool with_gradient : {false, true}) {
      const std::vector<float> gradient = Random(n, 5), velocity = Random(n, 6), parameter = Random(n, 7);
      std::vector<float> moved = velocity, updated = parameter;
      kernels_.momentum(updated.data(), moved.data(), with_gradient ? gradient.data() : nullptr, n, 0.3f, 0.8f);
      for (int64_t i = 0; i < n; ++i) {
        const double expected = 0.8f * static_cast<double>(velocity[i]) - (with_gradient ? 0.3f * gradient[i] : 0.0f);
        EXPECT_NEAR(moved[i], expected, 1e-6);
        EXPECT_NEAR(updated[i], parameter[i] + expected, 1e-6);
      }
    }
  }
}

TEST_P(RowOperationsTest, MomentumWithNormIsMomentumThenSquaredNorm) {
  for (int64_t n : {1, 15, 16, 50, 784}) {
    for (bool with_gradient : {false, true}) {
      const std::vector<float> gradient = Random(n, 5), velocity = Random(n, 6), parameter = Random(n, 7);
      const float* given = with_gradient ? gradient.data() : nullptr;
      std::vector<float> moved = velocity, updated = parameter, moved_alone = velocity, updated_alone = parameter;
      kernels_.momentum(updated_alone.data(), moved_alone.data(), given, n, 0.3f, 0.8f);
      EXPECT_EQ(kernels_.momentum_with_norm(updated.data(), moved.data(), given, n, 0.3f, 0.8f),
                kernels_.squared_norm(updated_alone.data(), n));
      EXPECT_EQ(moved, moved_alone);
      EXPECT_EQ(updated, updated_alone);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, RowOperationsTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::support::row_operations_test
