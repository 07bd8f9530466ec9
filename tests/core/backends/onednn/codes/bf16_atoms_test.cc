// Products of bf16 by oneDNN, and what their bound promises.
#include "core/backends/onednn/codes/bf16_atoms.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/backends/onednn/codes/filter_choice.h"
#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::bf16_atoms_test {
namespace {

std::vector<float> Gaussians(int64_t count, uint64_t seed, double sigma = 1) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
  return values;
}

float FromBf16(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

double Norm(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

TEST(Bf16Atoms, RoundsToTheNearestWithoutSubnormalNumbers) {
  const std::vector<float> x = {1, 1 + 0x1p-8f, 1 + 0x1.8p-7f, -1.0039f, 0, -0.0f, 0x1p-127f, -0x1p-149f, 3e30f};
  std::vector<uint16_t> rounded(x.size());
  std::vector<float> rest(x.size());
  Bf16Atoms::Round(x.data(), static_cast<int64_t>(x.size()), rounded.data(), rest.data());
  // Ties go to even: 1 + 2^-8 down, 1 + 1.5 2^-7 up.
  const std::vector<float> expected = {1, 1, 1 + 0x1p-6f, -1, 0, -0.0f, 0, -0.0f, FromBf16(rounded[8])};
  for (size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(FromBf16(rounded[i]), expected[i]) << x[i];
    EXPECT_EQ(FromBf16(rounded[i]) + rest[i], x[i]);
    EXPECT_LE(std::abs(rest[i]), std::abs(x[i]) * 0x1p-8f + 0x1p-126f);
  }
}

class Bf16AtomsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!Bf16Atoms::Available()) GTEST_SKIP() << "oneDNN has no bf16 here";
  }

  // How far scores are from the exact ones, against the bound: the largest share over all rows and units.
  static double LargestShareOfBound(const std::vector<float>& x, const std::vector<float>& atoms, int64_t width) {
    ThreadPool pool(2);
    const int64_t rows = static_cast<int64_t>(x.size()) / width, units = static_cast<int64_t>(atoms.size()) / width;
    const std::vector<float> bias = Gaussians(units, 3);
    auto rounded = *Bf16Atoms::Create(units, width);
    EXPECT_EQ(rounded->Refresh(pool, support::RowOperationsFor(simd::AvailableInstructionSets().front()), atoms.data(),
                               bias.data()),
              absl::OkStatus());
    std::vector<uint16_t> halves(Bf16Atoms::kTileRows * width);
    std::vector<float> rest(width), scores(Bf16Atoms::kTileRows * rounded->stride());
    std::vector<double> rest_norms(rows);
    for (int64_t i = 0; i < rows; ++i) {
      Bf16Atoms::Round(x.data() + i * width, width, halves.data() + i * width, rest.data());
      rest_norms[i] = Norm(rest.data(), width) * (1 + 0x1p-20);
    }
    for (int64_t tile = 0; tile < rounded->tiles(); ++tile) {
      EXPECT_EQ(rounded->Multiply(halves.data(), tile, scores.data() + tile * Bf16Atoms::kTileUnits), absl::OkStatus());
    }
    double largest = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const float* row = x.data() + i * width;
      const RowBound bound{&rounded->bounds(), Norm(row, width) * (1 + 0x1p-20), rest_norms[i], 0};
      for (int64_t unit = 0; unit < units; ++unit) {
        const float score = scores[i * rounded->stride() + unit] + bias[unit];
        const double exact = simd::FixedOrderDot(row, atoms.data() + unit * width, width) + bias[unit];
        EXPECT_LE(bound.Error(unit), bound.LargestError());
        largest = std::max(largest, std::abs(score - exact) / bound.Error(unit));
      }
    }
    return largest;
  }
};

TEST_F(Bf16AtomsTest, ErrorsStayWithinTheBound) {
  for (int64_t width : {1, 7, 64, 301}) {
    for (int64_t units : {1, 90, 513}) {
      for (double scale : {1e-38, 1e-25, 1.0, 1e12}) {
        const std::vector<float> x = Gaussians(10 * width, 1, scale);
        EXPECT_LE(LargestShareOfBound(x, Gaussians(units * width, 2), width), 1) << width << ", " << units;
        EXPECT_LE(LargestShareOfBound(x, Gaussians(units * width, 2, 1e-20), width), 1) << width << ", " << units;
      }
    }
  }
}

TEST_F(Bf16AtomsTest, TheBoundIsNearlyReachedByRowsAlongTheRoundingErrors) {
  constexpr int64_t kWidth = 256, kUnits = 50;
  const std::vector<float> atoms = Gaussians(kUnits * kWidth, 5);
  std::vector<uint16_t> rounded(atoms.size());
  std::vector<float> x(atoms.size());
  Bf16Atoms::Round(atoms.data(), static_cast<int64_t>(atoms.size()), rounded.data(), x.data());
  const double share = LargestShareOfBound(x, atoms, kWidth);
  EXPECT_LE(share, 1);
  EXPECT_GT(share, 0.3);
}

TEST(FilterChoice, IsBytesWhereNothingCanBeGained) {
  support::Context context(1, simd::InstructionSet::kPortable, support::Filter::kMeasured);
  std::vector<float> atoms(300 * 500, 1.0f);
  const std::vector<float> bias(300);
  PreparedDictionary small(atoms.data(), bias.data(), 3, 500);
  ASSERT_TRUE(ChooseFilter(context, &small).ok());
  EXPECT_EQ(small.path().name, "int8");
  EXPECT_EQ(small.watch(), nullptr);
  atoms[7] = std::numeric_limits<float>::infinity();
  PreparedDictionary infinite(atoms.data(), bias.data(), 300, 500);
  ASSERT_TRUE(ChooseFilter(context, &infinite).ok());
  EXPECT_EQ(infinite.path().name, "int8");
}

TEST(FilterChoice, IsAFilterThatCanBeForced) {
  support::Context context(2, simd::AvailableInstructionSets().front(), support::Filter::kMeasured);
  const std::vector<float> atoms = Gaussians(300 * 500, 1), bias = Gaussians(300, 2);
  PreparedDictionary dictionary(atoms.data(), bias.data(), 300, 500);
  ASSERT_TRUE(ChooseFilter(context, &dictionary).ok());
  ASSERT_NE(dictionary.watch(), nullptr);
  const support::Filter filter = dictionary.watch()->filter();
  EXPECT_TRUE(filter == support::Filter::kBytes || filter == support::Filter::kFloats ||
              (filter == support::Filter::kBf16 && Bf16Atoms::Available()));
  EXPECT_EQ(dictionary.path().name, FilterName(filter));
  EXPECT_THAT(dictionary.path().reason, testing::HasSubstr("int8 "));
  // All copies that it may choose are there.
  ASSERT_TRUE(dictionary.Refresh(context).ok());
  EXPECT_NE(dictionary.quantised(), nullptr);
}

}  // namespace
}  // namespace kwta::onednn::codes::bf16_atoms_test
