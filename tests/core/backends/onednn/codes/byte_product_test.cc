// Products of bytes, and what the bound of a quantised dictionary promises.
#include "core/backends/onednn/codes/byte_product.h"

#include <cmath>
#include <vector>

#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/quantised_atoms.h"
#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"
#include "gtest/gtest.h"

namespace kwta::onednn::codes::byte_product_test {
namespace {

std::vector<float> Gaussians(int64_t count, uint64_t seed, double sigma = 1) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
  return values;
}

double Norm(const float* x, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum);
}

// A block of rows as score_tile takes it.
class Rows {
 public:
  Rows(const ByteKernels& kernels, const std::vector<float>& x, int64_t width, int64_t step_quads)
      : rows_(static_cast<int64_t>(x.size()) / width), width_(width), bytes_(rows_ * PaddedWidth(width)) {
    quantised.resize(rows_);
    for (int64_t i = 0; i < rows_; ++i) {
      quantised[i] = kernels.quantise(x.data() + i * width, width, bytes_.data() + i * PaddedWidth(width));
    }
    memory_ = *AllocateHostZeroed(RowTiles::MemoryBytes(rows_, width));
    tiles.Build(kernels, bytes_.data(), quantised.data(), rows_, width, step_quads, memory_.as<void>());
  }
  const uint8_t* bytes(int64_t row) const { return bytes_.data() + row * PaddedWidth(width_); }

  std::vector<QuantisedRow> quantised;
  RowTiles tiles;

 private:
  const int64_t rows_, width_;
  std::vector<uint8_t> bytes_;
  Buffer memory_;
};

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
      const Rows block(kernels_, x, width, quantised->step_quads());
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
    const Rows block(kernels_, x, kWidth, quantised->step_quads());
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
  const Rows block(kernels_, x, kWidth, quantised->step_quads());
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

// The scores of all panels, [rows, panels * kPanelUnits].
std::vector<float> Scores(const QuantisedAtoms& quantised, const Rows& block, int64_t rows) {
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
  const Rows block(quantised.kernels(), x, width, quantised.step_quads());
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

TEST_P(ByteProductTest, ErrorsStayWithinTheBound) {
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

TEST_P(ByteProductTest, TheBoundIsNearlyReachedByRowsAlongTheRoundingErrors) {
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
  const Rows block(quantised.kernels(), x, width, quantised.step_quads());
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

TEST_P(ByteProductTest, ErrorsOfTheSecondLayerStayWithinItsBound) {
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

TEST_P(ByteProductTest, TheBoundOfTheSecondLayerIsNotMuchLargerThanItMustBe) {
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

TEST_P(ByteProductTest, TheBoundFollowsAtomsThatChangeOneByOne) {
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

TEST_P(ByteProductTest, AnAtomThatIsTooLongIsNotTakenUp) {
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

INSTANTIATE_TEST_SUITE_P(All, ByteProductTest, testing::ValuesIn(simd::AvailableInstructionSets()),
                         [](const auto& info) { return std::string(simd::InstructionSetName(info.param)); });

}  // namespace
}  // namespace kwta::onednn::codes::byte_product_test
