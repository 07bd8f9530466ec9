// What the bounds of a quantised dictionary promise.
#include "core/backends/onednn/codes/quantised_atoms.h"

#include <cmath>
#include <memory>
#include <vector>

#include "core/base/thread_pool.h"
#include "core/simd/fixed_order_dot.h"
#include "gtest/gtest.h"
#include "tests/core/backends/onednn/codes/test_rows.h"

namespace kwta::onednn::codes::quantised_atoms_test {
namespace {

class QuantisedAtomsTest : public testing::TestWithParam<simd::InstructionSet> {};

// The scores of all panels, [rows, panels * kPanelUnits].
std::vector<float> Scores(const QuantisedAtoms& quantised, const TestRows& block, int64_t rows) {
  const int64_t stride = quantised.panels() * kPanelUnits;
  std::vector<float> scores(rows * stride);
  for (int64_t p = 0; p < quantised.panels(); ++p) {
    for (const RowTile& tile : block.tiles) {
      quantised.kernels().score_tile(tile, block.quantised.data(), quantised.panel(p), scores.data() + p * kPanelUnits,
                                     stride);
    }
  }
  return scores;
}

// How far scores are from the exact ones, against the bound: the largest share over all rows and units.
double LargestShareOfBound(const QuantisedAtoms& quantised, const std::vector<float>& x,
                           const std::vector<float>& atoms, const std::vector<float>& bias) {
  const int64_t units = quantised.units(), width = quantised.width();
  const TestRows block(quantised.kernels(), x, width, quantised.step_quads());
  const int64_t stride = quantised.panels() * kPanelUnits;
  const int64_t rows = static_cast<int64_t>(x.size()) / width;
  std::vector<float> scores = Scores(quantised, block, rows);
  double largest = 0;
  for (int64_t i = 0; i < rows; ++i) {
    RowBound bound{&quantised.bounds(), block.quantised[i].norm, block.quantised[i].residual_norm, 0};
    const float* row = x.data() + i * width;
    if (quantised.mean() != nullptr) bound.offset = simd::FixedOrderDot(row, quantised.mean(), width);
    for (int64_t unit = 0; unit < units; ++unit) {
      const double exact = simd::FixedOrderDot(row, atoms.data() + unit * width, width) + bias[unit];
      const double error = std::abs(scores[i * stride + unit] + bound.offset - exact);
      EXPECT_LE(bound.Error(unit), bound.LargestError());
      largest = std::max(largest, error / bound.Error(unit));
    }
  }
  return largest;
}

std::unique_ptr<QuantisedAtoms> Quantised(simd::InstructionSet set, const std::vector<float>& atoms,
                                          const std::vector<float>& bias,
                                          QuantisedAtoms::Use use = QuantisedAtoms::Use::kFixed) {
  ThreadPool pool(1);
  const int64_t units = static_cast<int64_t>(bias.size());
  auto quantised = *QuantisedAtoms::Create(set, units, static_cast<int64_t>(atoms.size()) / units, use);
  quantised->Refresh(pool, atoms.data(), bias.data());
  return quantised;
}

// A row for each atom of the only panel, in the direction of what rounding took from it.
std::vector<float> RowsAlongTheRest(const QuantisedAtoms& quantised, const std::vector<float>& atoms) {
  const int64_t width = quantised.width();
  const AtomPanel panel = quantised.panel(0);
  std::vector<float> x(atoms.size());
  for (int64_t i = 0; i < static_cast<int64_t>(x.size()); ++i) {
    const int64_t unit = i / width, d = i % width;
    const float mean = quantised.mean() != nullptr ? quantised.mean()[d] : 0;
    x[i] = atoms[i] - mean - panel.scales[unit] * panel.weights[(d / 4 * kPanelUnits + unit) * 4 + d % 4];
  }
  return x;
}

TEST_P(QuantisedAtomsTest, ErrorsStayWithinTheBound) {
  for (int64_t width : {1, 7, 64, 300}) {
    for (double scale : {1e-25, 1e-3, 1.0, 1e12}) {
      for (float shift : {0.0f, 1.0f, 20.0f}) {  // atoms that resemble each other
        std::vector<float> x = Gaussians(10 * width, 1, scale), atoms = Gaussians(90 * width, 2);
        for (float& value : atoms) value += shift;
        const std::vector<float> bias = Gaussians(90, 3);
        EXPECT_LE(LargestShareOfBound(*Quantised(GetParam(), atoms, bias), x, atoms, bias), 1);
      }
    }
  }
}

TEST_P(QuantisedAtomsTest, TheBoundIsNearlyReachedByRowsAlongTheRoundingErrors) {
  // Such a row has its atom's score off by |x| |e|: a bound half as large would be wrong.
  const std::vector<float> atoms = Gaussians(kPanelUnits * 256, 5), bias(kPanelUnits);
  const auto quantised = Quantised(GetParam(), atoms, bias);
  const double share = LargestShareOfBound(*quantised, RowsAlongTheRest(*quantised, atoms), atoms, bias);
  EXPECT_LE(share, 1);
  EXPECT_GT(share, 0.5);
}

// As LargestShareOfBound, for scores to which the second layer's products are added.
double LargestShareOfFineBound(const QuantisedAtoms& quantised, const std::vector<float>& x,
                               const std::vector<float>& atoms, const std::vector<float>& bias) {
  const FineAtoms& fine = *quantised.fine();
  const int64_t units = quantised.units(), width = quantised.width(), padded = PaddedWidth(width);
  const TestRows block(quantised.kernels(), x, width, quantised.step_quads());
  const int64_t stride = quantised.panels() * kPanelUnits;
  const int64_t rows = static_cast<int64_t>(x.size()) / width;
  std::vector<float> scores = Scores(quantised, block, rows);
  std::vector<int32_t> descending(units), sums(units);
  for (int64_t i = 0; i < units; ++i) descending[i] = static_cast<int32_t>(units - 1 - i);
  double largest = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const QuantisedRow& quantised_row = block.quantised[i];
    RowBound bound{&fine.bounds, quantised_row.norm, quantised_row.residual_norm, 0};
    const float* row = x.data() + i * width;
    if (quantised.mean() != nullptr) bound.offset = simd::FixedOrderDot(row, quantised.mean(), width);
    quantised.kernels().row_products(block.bytes(i), padded, fine.bytes, descending.data(), units, sums.data());
    for (int64_t n = 0; n < units; ++n) {
      const int32_t unit = descending[n];
      int64_t sum = 0;
      for (int64_t d = 0; d < width; ++d) sum += int64_t{block.bytes(i)[d]} * fine.bytes[unit * padded + d];
      EXPECT_EQ(sums[n], sum);
      const double added =
          static_cast<double>(sum - int64_t{quantised_row.zero_point} * fine.sums[unit]) * quantised_row.scale;
      const double exact = simd::FixedOrderDot(row, atoms.data() + unit * width, width) + bias[unit];
      const double error = std::abs(scores[i * stride + unit] + added * fine.scales[unit] + bound.offset - exact);
      largest = std::max(largest, error / bound.Error(unit));
    }
  }
  return largest;
}

TEST_P(QuantisedAtomsTest, ErrorsOfTheSecondLayerStayWithinItsBound) {
  constexpr int64_t kWidth = 300, kUnits = 440;
  for (double scale : {1e-25, 1.0, 1e12}) {
    for (float shift : {0.0f, 1.0f, 20.0f}) {
      std::vector<float> x = Gaussians(8 * kWidth, 1, scale), atoms = Gaussians(kUnits * kWidth, 2);
      for (size_t i = 0; i < x.size() / 2; ++i) x[i] = std::max(x[i], 0.0f);
      for (float& value : atoms) value += shift;
      const std::vector<float> bias = Gaussians(kUnits, 3);
      const auto quantised = Quantised(GetParam(), atoms, bias);
      ASSERT_NE(quantised->fine(), nullptr);
      EXPECT_LE(LargestShareOfFineBound(*quantised, x, atoms, bias), 1);
      // Binary32's own rounding is most of the bound where a large mean was subtracted.
      for (int64_t unit = 0; unit < kUnits && shift < 20; ++unit) {
        EXPECT_LT(quantised->fine()->bounds.norm_factor[unit], 0.1f * quantised->bounds().norm_factor[unit]);
      }
    }
  }
}

TEST_P(QuantisedAtomsTest, TheBoundOfTheSecondLayerIsNotMuchLargerThanItMustBe) {
  // Rows of exact bytes that see only what both layers round down.
  constexpr int64_t kWidth = 300, kUnits = 440, kRows = 20;
  const std::vector<float> atoms = Gaussians(kUnits * kWidth, 5), bias(kUnits);
  const auto quantised = Quantised(GetParam(), atoms, bias);
  ASSERT_EQ(quantised->mean(), nullptr);
  const FineAtoms& fine = *quantised->fine();
  const AtomPanel panel = quantised->panel(0);
  std::vector<float> x(kRows * kWidth);
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t d = 0; d < kWidth; ++d) {
      const float first = panel.scales[i] * panel.weights[(d / 4 * kPanelUnits + i) * 4 + d % 4];
      const float rest = atoms[i * kWidth + d] - first - fine.scales[i] * fine.bytes[i * PaddedWidth(kWidth) + d];
      x[i * kWidth + d] = rest > 0 ? 1 : 0;
    }
  }
  const double share = LargestShareOfFineBound(*quantised, x, atoms, bias);
  EXPECT_LE(share, 1);
  EXPECT_GT(share, 0.25);
}

TEST(QuantisedAtoms, SmallDictionariesAndThoseInTrainingHaveNoSecondLayer) {
  const std::vector<float> atoms = Gaussians(440 * 300, 1), bias(440);
  const simd::InstructionSet set = simd::InstructionSet::kPortable;
  EXPECT_EQ(Quantised(set, atoms, bias, QuantisedAtoms::Use::kTraining)->fine(), nullptr);
  EXPECT_EQ(Quantised(set, std::vector<float>(100 * 300), std::vector<float>(100))->fine(), nullptr);
}

TEST_P(QuantisedAtomsTest, TheBoundFollowsAtomsThatChangeOneByOne) {
  constexpr int64_t kWidth = 250;
  for (const float common : {0.0f, 3.0f}) {
    std::vector<float> atoms = Gaussians(kPanelUnits * kWidth, 5), bias = Gaussians(kPanelUnits, 6, 0.1);
    for (float& value : atoms) value += common;
    const auto quantised = Quantised(GetParam(), atoms, bias, QuantisedAtoms::Use::kTraining);
    const float fresh = quantised->bounds().largest_norm_factor;
    for (int64_t round = 0; round < 12; ++round) {
      const std::vector<float> steps = Gaussians(kPanelUnits * kWidth, 10 + round, 0.01);
      for (int64_t unit = round % 2; unit < kPanelUnits; unit += 2) {
        for (int64_t d = 0; d < kWidth; ++d) atoms[unit * kWidth + d] += steps[unit * kWidth + d];
        bias[unit] += steps[unit];
        const float* atom = atoms.data() + unit * kWidth;
        const float length = quantised->Update(unit, atom, bias[unit]);
        EXPECT_GE(length, std::sqrt(simd::FixedOrderDot(atom, atom, kWidth)));
      }
      quantised->FinishUpdates();
      const double share = LargestShareOfBound(*quantised, RowsAlongTheRest(*quantised, atoms), atoms, bias);
      EXPECT_LE(share, 1);
      EXPECT_GT(share, 0.5);
      // Bytes that have become bad are made anew.
      EXPECT_LT(quantised->bounds().largest_norm_factor, 2.5f * fresh);
    }
  }
}

TEST_P(QuantisedAtomsTest, AnAtomThatIsTooLongIsNotTakenUp) {
  std::vector<float> atoms = Gaussians(kPanelUnits * 20, 5);
  const std::vector<float> bias(kPanelUnits);
  const auto quantised = Quantised(GetParam(), atoms, bias, QuantisedAtoms::Use::kTraining);
  for (const float large : {1e20f, 1e30f, INFINITY, NAN}) {
    atoms[7] = large;
    EXPECT_FALSE(quantised->Update(0, atoms.data(), 0) < QuantisedAtoms::kLongestInTraining);
  }
}

TEST(QuantisedAtoms, TheMeanIsTakenOffWhereAtomsResembleEachOther) {
  constexpr int64_t kWidth = 100, kUnits = 80;
  ThreadPool pool(2);
  const std::vector<float> bias(kUnits);
  std::vector<float> atoms = Gaussians(kUnits * kWidth, 1);
  auto quantised = *QuantisedAtoms::Create(simd::InstructionSet::kPortable, kUnits, kWidth);
  const std::vector<float> common = Gaussians(kWidth, 4, 100);
  for (int64_t i = 0; i < kUnits * kWidth; ++i) atoms[i] += common[i % kWidth];
  quantised->Refresh(pool, atoms.data(), bias.data());
  ASSERT_NE(quantised->mean(), nullptr);
  // What is left to round has length sqrt(100), not 1000.
  for (float factor : quantised->bounds().norm_factor) EXPECT_LT(factor, 0.5f);
  for (int64_t i = 0; i < kUnits * kWidth; ++i) atoms[i] = (i / kWidth % 2 ? -1 : 1) * common[i % kWidth];
  quantised->Refresh(pool, atoms.data(), bias.data());
  EXPECT_EQ(quantised->mean(), nullptr);
}

INSTANTIATE_TEST_SUITE_P(All, QuantisedAtomsTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::codes::quantised_atoms_test
