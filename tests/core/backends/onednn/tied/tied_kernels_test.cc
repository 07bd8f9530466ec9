#include "core/backends/onednn/tied/tied_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/base/divide_up.h"
#include "core/base/rng.h"

namespace kwta::onednn::tied::tied_kernels_test {
namespace {

const std::vector<int64_t> kWidths = {1, 3, 16, 17, 63, 64, 100, 256, 257, 784};

std::vector<float> Gaussians(int64_t count, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(rng.Gaussian());
  return values;
}

std::vector<const float*> RowsOf(const std::vector<float>& matrix, int64_t width) {
  std::vector<const float*> rows;
  for (size_t at = 0; at < matrix.size(); at += width) rows.push_back(matrix.data() + at);
  return rows;
}

class TiedKernelsTest : public testing::TestWithParam<simd::InstructionSet> {
 protected:
  const TiedKernels& kernels_ = TiedKernelsFor(GetParam());
};
INSTANTIATE_TEST_SUITE_P(InstructionSets, TiedKernelsTest, testing::ValuesIn(simd::AvailableInstructionSets()));

TEST_P(TiedKernelsTest, ReconstructsAndMultiplies) {
  for (const int64_t width : kWidths) {
    for (const int64_t k : {1, 2, 3, 9, 40}) {
      const std::vector<float> atoms = Gaussians(k * width, 1), values = Gaussians(k, 2), bias = Gaussians(width, 3);
      const std::vector<float> x = Gaussians(width, 4);
      const std::vector<const float*> rows = RowsOf(atoms, width);
      std::vector<float> residual(width), products(k), partial(16 * k, 5.0f);
      kernels_.reconstruct(rows.data(), values.data(), k, bias.data(), x.data(), width, residual.data(),
                           products.data(), partial.data());
      std::vector<double> expected_products(k);
      for (int64_t d = 0; d < width; ++d) {
        double expected = double{bias[d]} - x[d];
        for (int64_t j = 0; j < k; ++j) expected += double{values[j]} * rows[j][d];
        ASSERT_NEAR(residual[d], expected, 2e-5) << width << " " << k << " " << d;
        for (int64_t j = 0; j < k; ++j) expected_products[j] += expected * rows[j][d];
      }
      for (int64_t j = 0; j < k; ++j) {
        ASSERT_NEAR(products[j], expected_products[j], 1e-5 * width + 1e-4) << width << " " << k << " " << j;
      }
    }
  }
}

TEST_P(TiedKernelsTest, UpdatesAnAtomThatWasPutOff) {
  const std::vector<int32_t> rows = {4, 0, 4};
  const std::vector<float> residual_scales = {0.5f, -1, 2}, x_scales = {0.25f, 1.5f, -0.5f};
  for (const int64_t width : kWidths) {
    const std::vector<float> residual = Gaussians(5 * width, 1), x = Gaussians(5 * width, 2);
    const std::vector<float> before = Gaussians(width, 3), velocity_before = Gaussians(width, 4);
    std::vector<float> atom = before, velocity = velocity_before;
    kernels_.update_atom({residual.data(), x.data(), rows.data(), residual_scales.data(), x_scales.data(), 3}, 0.1f,
                         0.9f, 0.75f, 0.5f, width, atom.data(), velocity.data(), nullptr, 0);
    // Measured on the way.
    const std::vector<int8_t> bytes(static_cast<size_t>(RoundUp(width, 64)), 3);
    std::vector<float> same = before, same_velocity = velocity_before;
    const AtomMeasures measured =
        kernels_.update_atom({residual.data(), x.data(), rows.data(), residual_scales.data(), x_scales.data(), 3}, 0.1f,
                             0.9f, 0.75f, 0.5f, width, same.data(), same_velocity.data(), bytes.data(), 0.25f);
    EXPECT_EQ(same, atom);
    EXPECT_EQ(same_velocity, velocity);
    const AtomMeasures expected = kernels_.measure(atom.data(), velocity.data(), bytes.data(), 0.25f, width);
    EXPECT_NEAR(measured.above, expected.above, 1e-4 * expected.above);
    EXPECT_NEAR(measured.below, expected.below, 1e-4 * expected.below);
    EXPECT_NEAR(measured.length, expected.length, 1e-4 * expected.length);
    EXPECT_NEAR(measured.velocity, expected.velocity, 1e-4 * expected.velocity);
    EXPECT_EQ(measured.largest, expected.largest);
    std::vector<float> advanced(width), advanced_velocity(width), alone(width);
    EXPECT_TRUE(kernels_.advance(before.data(), velocity_before.data(), 0.75f, 0.5f, width, advanced.data(),
                                 advanced_velocity.data()));
    std::vector<float> still(width), moved(width);
    EXPECT_FALSE(kernels_.advance(before.data(), still.data(), 0.75f, 0.5f, width, moved.data(), still.data()));
    EXPECT_EQ(moved, before);
    still.back() = 1e-30f;
    EXPECT_TRUE(kernels_.advance(before.data(), still.data(), 0.75f, 0.5f, width, moved.data(), nullptr));
    kernels_.advance(before.data(), velocity_before.data(), 0.75f, 0.5f, width, alone.data(), nullptr);
    EXPECT_EQ(alone, advanced);
    for (int64_t d = 0; d < width; ++d) {
      EXPECT_NEAR(advanced[d], before[d] + 0.75 * velocity_before[d], 1e-6);
      EXPECT_EQ(advanced_velocity[d], 0.5f * velocity_before[d]);
      double gradient = 0;
      for (size_t e = 0; e < rows.size(); ++e) {
        gradient +=
            double{residual_scales[e]} * residual[rows[e] * width + d] + double{x_scales[e]} * x[rows[e] * width + d];
      }
      ASSERT_NEAR(velocity[d], 0.9 * advanced_velocity[d] - 0.1 * gradient, 1e-5) << width << " " << d;
      ASSERT_EQ(atom[d], advanced[d] + velocity[d]) << width << " " << d;
    }
  }
}

TEST_P(TiedKernelsTest, MeasuresAtomsAndTheirBytes) {
  for (const int64_t width : kWidths) {
    const std::vector<float> atom = Gaussians(width, 1), velocity = Gaussians(width, 2);
    float largest = 0;
    for (const float weight : atom) largest = std::max(largest, std::fabs(weight));
    const float scale = largest / 127;
    std::vector<int8_t> bytes(static_cast<size_t>(RoundUp(width, 64)));
    kernels_.to_bytes(atom.data(), 127 / largest, width, bytes.data());
    const AtomMeasures measures = kernels_.measure(atom.data(), velocity.data(), bytes.data(), scale, width);
    double above = 0, below = 0, length = 0, speed = 0;
    for (int64_t d = 0; d < width; ++d) {
      const double rest = atom[d] - double{scale} * bytes[d];
      EXPECT_LE(std::fabs(rest), 0.5001 * scale);
      (rest > 0 ? above : below) += rest * rest;
      length += double{atom[d]} * atom[d];
      speed += double{velocity[d]} * velocity[d];
    }
    EXPECT_NEAR(measures.above, above, 1e-4 * above + 1e-12);
    EXPECT_NEAR(measures.below, below, 1e-4 * below + 1e-12);
    EXPECT_NEAR(measures.length, length, 1e-4 * length);
    EXPECT_NEAR(measures.velocity, speed, 1e-4 * speed);
    EXPECT_EQ(measures.largest, largest);
  }
}

}  // namespace
}  // namespace kwta::onednn::tied::tied_kernels_test
