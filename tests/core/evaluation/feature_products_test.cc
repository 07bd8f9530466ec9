#include "core/evaluation/feature_products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>

#include "core/base/rng.h"

namespace kwta::feature_products_test {
namespace {

// Rows of 700 elements (more than one piece), a third of them zero, in each of the dtypes.
struct Rows {
  explicit Rows(int64_t count) {
    Rng rng(3);
    dense = Tensor(DType::kF32, {count, 700});
    bytes = Tensor(DType::kU8, {count, 700});
    halves = Tensor(DType::kBF16, {count, 700});
    codes.units = 700;
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t d = 0; d < 700; ++d) {
        const auto byte = static_cast<uint8_t>(rng.UniformBelow(3) == 0 ? 0 : 1 + rng.UniformBelow(127));
        const float value = byte;
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof(bits));
        dense.as<float>()[i * 700 + d] = value;
        bytes.as<uint8_t>()[i * 700 + d] = byte;
        halves.as<uint16_t>()[i * 700 + d] = static_cast<uint16_t>(bits >> 16);  // exact: seven bits
        if (byte == 0) continue;
        codes.indices.push_back(static_cast<int32_t>(d));
        codes.values.push_back(value);
      }
      codes.row_offsets.push_back(codes.entries());
    }
  }
  Tensor dense, bytes, halves;
  SparseCodes codes;
};

TEST(FeatureRows, OfEveryKindCopyTheSameElements) {
  const Rows rows(5);
  const CodeFeatures codes(rows.codes);
  std::vector<float> expected(300), piece(300);
  for (const Tensor* tensor : {&rows.dense, &rows.bytes, &rows.halves}) {
    const DenseFeatures features(tensor->rows());
    for (int64_t i = 0; i < 5; ++i) {
      codes.CopyRow(i, 200, 300, expected.data());
      features.CopyRow(i, 200, 300, piece.data());
      EXPECT_EQ(piece, expected);
      for (int64_t d = 0; d < 300; ++d) ASSERT_EQ(piece[d], rows.dense.as<float>()[i * 700 + 200 + d]);
    }
  }
}

TEST(FeatureProducts, OfEntriesAndOfBlocksAgree) {
  const Rows rows(9);
  const CodeFeatures codes(rows.codes);
  const DenseFeatures dense(rows.bytes.rows());
  FeatureTransform transform;
  transform.scale = 0.25f;
  std::vector<float> weights(700 * 16), p(4 * 16);
  Rng rng(4);
  for (float& w : weights) w = static_cast<float>(rng.Gaussian());
  for (float& value : p) value = static_cast<float>(rng.Gaussian());
  const std::vector<uint32_t> which = {8, 0, 3, 3};
  std::vector<float> sums[2] = {std::vector<float>(4 * 16), std::vector<float>(4 * 16)};
  std::vector<float> gradients[2] = {std::vector<float>(700 * 16), std::vector<float>(700 * 16)};
  const FeatureRows* kinds[] = {&codes, &dense};
  for (int kind = 0; kind < 2; ++kind) {
    const auto products = MakeFeatureProducts(*kinds[kind], transform, 16);
    products->Multiply(which, weights.data(), {}, sums[kind].data());
    products->AddTransposed(p.data(), gradients[kind].data());
  }
  for (size_t i = 0; i < sums[0].size(); ++i) EXPECT_NEAR(sums[0][i], sums[1][i], 0.02);
  for (size_t i = 0; i < gradients[0].size(); ++i) EXPECT_NEAR(gradients[0][i], gradients[1][i], 1e-3);
  EXPECT_NE(gradients[0][0], 0);
}

// Transformed rows x' of the identity matrix as weights: what the classifier sees.
std::vector<double> Seen(const FeatureRows& features, FeatureScaling scaling, int64_t row) {
  std::vector<uint32_t> all(features.rows());
  std::iota(all.begin(), all.end(), 0u);
  const FeatureTransform transform = FitTransform(features, all, scaling);
  std::vector<double> seen(features.width());
  std::vector<float> x(features.width());
  features.CopyRow(row, 0, features.width(), x.data());
  for (int64_t d = 0; d < features.width(); ++d) {
    seen[d] = transform.shift.empty() ? x[d] * transform.scale : (x[d] - transform.shift[d]) * transform.factor[d];
  }
  return seen;
}

TEST(FitTransform, GivesRowsOfUnitLengthAndFeaturesOfMeanZero) {
  const Rows rows(50);
  const DenseFeatures features(rows.bytes.rows());
  for (const auto scaling : {FeatureScaling::kAsTheyAre, FeatureScaling::kCentred, FeatureScaling::kStandardised}) {
    double squared = 0;
    std::vector<double> mean(700);
    for (int64_t i = 0; i < 50; ++i) {
      const std::vector<double> seen = Seen(features, scaling, i);
      squared += std::inner_product(seen.begin(), seen.end(), seen.begin(), 0.0) / 50;
      for (int64_t d = 0; d < 700; ++d) mean[d] += seen[d] / 50;
    }
    EXPECT_NEAR(squared, 1, 1e-4);
    if (scaling == FeatureScaling::kAsTheyAre) continue;
    for (const double m : mean) ASSERT_NEAR(m, 0, 1e-5);
  }
}

TEST(FitTransform, StandardisedFeaturesVaryAlikeUnlessTheyHardlyVary) {
  // Standard deviations 100, 1 and 0.
  const std::vector<float> values = {100, 1, 7, -100, -1, 7};
  const DenseFeatures features({DType::kF32, values.data(), 2, 3});
  const std::vector<double> seen = Seen(features, FeatureScaling::kStandardised, 0);
  EXPECT_GT(seen[0], 0.9);
  EXPECT_GT(seen[1], 0);
  EXPECT_LT(seen[1], 0.3 * seen[0]);
  EXPECT_EQ(seen[2], 0);
}

}  // namespace
}  // namespace kwta::feature_products_test
