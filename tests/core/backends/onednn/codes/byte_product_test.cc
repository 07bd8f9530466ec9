// Products of bytes.
#include "core/backends/onednn/codes/byte_product.h"

#include <cmath>
#include <vector>

#include "core/backends/onednn/codes/quantised_atoms.h"
#include "core/base/thread_pool.h"
#include "gtest/gtest.h"
#include "tests/core/backends/onednn/codes/test_rows.h"

namespace kwta::onednn::codes::byte_product_test {
namespace {

double Norm(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

class ByteProductTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  const ByteKernels& kernels_ = ByteKernelsFor(GetParam());
};

TEST_P(ByteProductTest, RowsAreWithinTheirResidualAndZerosStayZero) {
  for (int64_t width : {1, 5, 16, 63, 64, 65, 784}) {
    for (double shift : {0.0, 0.5, 3.0, -4.0}) {
      std::vector<float> x = Gaussians(width, 7 + width);
      for (float& value : x) value = static_cast<float>(value + shift);
      x[0] = 0;
      std::vector<uint8_t> bytes(PaddedWidth(width), 77);
      const QuantisedRow row = kernels_.quantise(x.data(), width, bytes.data());
      double square = 0;
      for (int64_t d = 0; d < width; ++d) {
        const double rest = x[d] - static_cast<double>(row.scale) * (bytes[d] - row.zero_point);
        square += rest * rest;
      }
      EXPECT_GE(row.residual_norm, std::sqrt(square));
      EXPECT_LE(row.residual_norm, std::sqrt(square) * 1.01 + row.norm * 1e-5);
      EXPECT_GE(row.norm, Norm(x.data(), width));
      EXPECT_LE(std::sqrt(square), Norm(x.data(), width) * 0.1);
      EXPECT_EQ(bytes[0], row.zero_point);
      for (int64_t d = width; d < PaddedWidth(width); ++d) EXPECT_EQ(bytes[d], row.zero_point);
    }
  }
}

TEST_P(ByteProductTest, ImagesOfBytesAreExactWhateverTheirLargest) {
  for (int largest : {255, 254, 100}) {
    std::vector<float> x(784);
    for (size_t d = 0; d < x.size(); ++d) x[d] = static_cast<float>(d % (largest + 1)) / 255.0f;
    std::vector<uint8_t> bytes(PaddedWidth(784));
    const QuantisedRow row = kernels_.quantise(x.data(), 784, bytes.data());
    for (size_t d = 0; d < x.size(); ++d) ASSERT_EQ(bytes[d], d % (largest + 1));
    EXPECT_LT(row.residual_norm, row.norm * 1e-5);
  }
}

TEST_P(ByteProductTest, RowsThatCannotBeScaledAreAllRest) {
  std::vector<uint8_t> bytes(64);
  for (float value : {0.0f, 1e-35f, 1e-44f, 3e38f}) {
    const std::vector<float> x(20, value);
    const QuantisedRow row = kernels_.quantise(x.data(), 20, bytes.data());
    EXPECT_GE(row.residual_norm, Norm(x.data(), 20));
    for (uint8_t byte : bytes) EXPECT_EQ(byte, row.zero_point);
  }
}

TEST_P(ByteProductTest, ScoresAreThoseOfTheRoundedParts) {
  ThreadPool pool(2);
  for (int64_t width : {1, 3, 64, 130, 784}) {
    for (int64_t rows : {1, 2, 5, 6, 7, 13}) {
      // Many units, which take long steps, with the narrower of the rows.
      const int64_t units = width == 3 || width == 130 ? 2100 : 70;
      std::vector<float> x = Gaussians(rows * width, 1);
      // Images, mostly zero, and rows of any sign.
      for (int64_t i = 0; i<rows; i += rows> 6 ? 2 : 1) {
        for (int64_t d = 0; d < width; ++d) x[i * width + d] = std::max(0.0f, x[i * width + d] - 1);
      }
      const std::vector<float> atoms = Gaussians(units * width, 2), bias = Gaussians(units, 3);
      auto quantised = *QuantisedAtoms::Create(GetParam(), units, width);
      quantised->Refresh(pool, atoms.data(), bias.data());
      const TestRows block(kernels_, x, width, quantised->step_quads());
      const int64_t stride = quantised->panels() * kPanelUnits;
      std::vector<float> scores(rows * stride);
      for (int64_t p = 0; p < quantised->panels(); ++p) {
        for (const RowTile& tile : block.tiles) {
          kernels_.score_tile(tile, block.quantised.data(), quantised->panel(p), scores.data() + p * kPanelUnits,
                              stride);
        }
      }
      for (int64_t i = 0; i < rows; ++i) {
        const QuantisedRow& row = block.quantised[i];
        for (int64_t unit = 0; unit < stride; ++unit) {
          const AtomPanel panel = quantised->panel(unit / kPanelUnits);
          const int64_t lane = unit % kPanelUnits;
          int64_t sum = 0;
          for (int64_t d = 0; d < width; ++d) {
            sum += (block.bytes(i)[d] - row.zero_point) * panel.weights[(d / 4 * kPanelUnits + lane) * 4 + d % 4];
          }
          const float expected =
              static_cast<float>(static_cast<double>(sum) * row.scale * panel.scales[lane] + panel.bias[lane]);
          if (unit >= units) {
            ASSERT_EQ(scores[i * stride + unit], -INFINITY);
          } else {
            ASSERT_NEAR(scores[i * stride + unit], expected, 1e-6 * (1 + std::abs(expected))) << i << ", " << unit;
          }
        }
      }
    }
  }
}

// Sums of 16 bits reach their limits where all bytes of a row are 255, or 0, and neighbouring weights have the same
// sign.
TEST_P(ByteProductTest, SumsOfTheLargestBytesDoNotSaturate) {
  constexpr int64_t kWidth = 64, kRows = 9;
  ThreadPool pool(1);
  std::vector<float> x(kRows * kWidth, 1.0f);
  for (int64_t i = kRows / 2; i < kRows; ++i) {
    // The smallest number is byte 0, and the largest, in another place in every row, byte 255.
    for (int64_t d = 0; d < kWidth; ++d) x[i * kWidth + d] = d == i ? 1.0f : -1.0f;
  }
  std::vector<float> atoms;
  for (float scale : {1.0f, -3.0f}) {
    for (int64_t equal : {1, 2, 3, 4, 8, 16, 31, 64}) {
      for (int64_t d = 0; d < kWidth; ++d) atoms.push_back(d < equal ? scale : d % 2 == 0 ? 0.4f * scale : 0.0f);
    }
  }
  // Weights whose rounding always goes the same way.
  for (float value : {0.4961f, 0.5039f, 0.1f}) {
    for (int64_t d = 0; d < kWidth; ++d) atoms.push_back(d == 0 ? 1.0f : value);
  }
  const auto different = static_cast<int64_t>(atoms.size()) / kWidth;
  for (const int64_t units : {different, int64_t{2100}}) {  // short and long steps
    atoms.resize(static_cast<size_t>(units * kWidth));
    const std::vector<float> bias(static_cast<size_t>(units));
    auto quantised = *QuantisedAtoms::Create(GetParam(), units, kWidth);
    quantised->Refresh(pool, atoms.data(), bias.data());
    const TestRows block(kernels_, x, kWidth, quantised->step_quads());
    std::vector<float> scores(kRows * kPanelUnits);
    const AtomPanel panel = quantised->panel(0);
    for (const RowTile& tile : block.tiles) {
      kernels_.score_tile(tile, block.quantised.data(), panel, scores.data(), kPanelUnits);
    }
    for (int64_t unit = 0; unit < different; ++unit) {
      for (int64_t i = 0; i < kRows; ++i) {
        const QuantisedRow& row = block.quantised[i];
        int64_t sum = 0;
        for (int64_t d = 0; d < kWidth; ++d) {
          sum += int64_t{block.bytes(i)[d] - row.zero_point} * panel.weights[(d / 4 * kPanelUnits + unit) * 4 + d % 4];
        }
        const double expected = static_cast<double>(sum) * row.scale * panel.scales[unit];
        EXPECT_NEAR(scores[i * kPanelUnits + unit], expected, 1e-5 * (1 + std::abs(expected))) << i << ", " << unit;
      }
    }
  }
}

TEST_P(ByteProductTest, CollectsWhatReachesTheThresholdOfEachRowAndCountsWhatItHasNoRoomFor) {
  constexpr int64_t kWidth = 50, kRows = 9, kUnits = 150, kFirst = 1000;
  ThreadPool pool(1);
  const std::vector<float> x = Gaussians(kRows * kWidth, 1);
  const std::vector<float> atoms = Gaussians(kUnits * kWidth, 2), bias = Gaussians(kUnits, 3);
  auto quantised = *QuantisedAtoms::Create(GetParam(), kUnits, kWidth);
  quantised->Refresh(pool, atoms.data(), bias.data());
  const TestRows block(kernels_, x, kWidth, quantised->step_quads());
  const int64_t stride = quantised->panels() * kPanelUnits;
  for (const int64_t capacity : {stride, int64_t{70}}) {
    std::vector<float> scores(kRows * stride), least(kRows);
    std::vector<float> list_scores(kRows * (capacity + kListMargin));
    std::vector<int32_t> list_units(list_scores.size());
    std::vector<ScoredUnits> lists(kRows);
    for (int64_t i = 0; i < kRows; ++i) {
      least[i] = static_cast<float>(3 * i - 12);
      const int64_t at = i * (capacity + kListMargin);
      lists[i] = {list_scores.data() + at, list_units.data() + at, 0, capacity};
    }
    for (int64_t p = 0; p < quantised->panels(); ++p) {
      for (const RowTile& tile : block.tiles) {
        kernels_.score_tile(tile, block.quantised.data(), quantised->panel(p), scores.data() + p * kPanelUnits, stride);
        kernels_.collect_tile(tile, block.quantised.data(), quantised->panel(p), kFirst + p * kPanelUnits, least.data(),
                              lists.data());
      }
    }
    for (int64_t i = 0; i < kRows; ++i) {
      int64_t found = 0;
      for (int64_t unit = 0; unit < stride; ++unit) {
        if (!(scores[i * stride + unit] >= least[i])) continue;
        if (found < std::min(capacity, lists[i].size) && lists[i].size <= capacity) {
          EXPECT_EQ(lists[i].units[found], kFirst + unit);
          EXPECT_EQ(lists[i].scores[found], scores[i * stride + unit]);
        }
        ++found;
      }
      EXPECT_EQ(lists[i].size, found);
    }
    // Of rows of both kinds.
    EXPECT_GT(lists[0].size, 70);
    EXPECT_LT(lists[kRows - 1].size, 70);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ByteProductTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::codes::byte_product_test
