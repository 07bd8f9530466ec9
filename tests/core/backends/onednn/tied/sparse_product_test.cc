#include "core/backends/onednn/tied/sparse_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

#include "core/backends/onednn/tied/byte_atoms.h"
#include "core/backends/onednn/tied/sparse_dots.h"
#include "core/base/rng.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::tied::sparse_product_test {
namespace {

const std::vector<int64_t> kWidths = {1, 3, 15, 16, 17, 31, 64, 97, 128, 784};

// Every version of the product that this processor runs.
std::vector<const SparseProductKernels*> EveryVersion() {
  std::vector<const SparseProductKernels*> versions;
  for (simd::InstructionSet set : simd::AvailableInstructionSets()) versions.push_back(&SparseProductKernelsFor(set));
  return versions;
}

// Rows of which runs of `run` elements are zero or not.
std::vector<float> RowOfRuns(int64_t width, int64_t run, double active, float largest, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> x(static_cast<size_t>(width));
  bool on = false;
  for (int64_t d = 0; d < width; ++d) {
    if (d % run == 0) on = rng.Uniform() < active;
    if (on) x[d] = static_cast<float>(largest * rng.Uniform());
  }
  return x;
}

// A row with its lists.
struct Prepared {
  Prepared(const SparseProductKernels& kernels, const std::vector<float>& x, const std::vector<float>& offset = {})
      : stride(static_cast<int64_t>(x.size()) / 64 + 1), groups(x.size() / 4 + 5), tiles(4 * stride) {
    row = PrepareSparseRow(kernels, x.data(), offset.empty() ? nullptr : offset.data(), static_cast<int64_t>(x.size()),
                           groups.data(), tiles.data(), stride);
  }
  int64_t stride;
  std::vector<InputGroup> groups;
  std::vector<int32_t> tiles;
  SparseRow row;
};

TEST(SparseProduct, RowsAreTheirBytesWithinTheError) {
  for (const SparseProductKernels* kernels : EveryVersion()) {
    for (const int64_t width : kWidths) {
      for (const float largest : {1.0f, 1e-30f, 3e8f, 0.0f}) {
        const std::vector<float> x = RowOfRuns(width, 5, 0.5, largest, width);
        const Prepared prepared(*kernels, x);
        ASSERT_FALSE(prepared.row.negative);
        EXPECT_EQ(prepared.row.largest, *std::max_element(x.begin(), x.end()));
        std::vector<double> rest(x.begin(), x.end());
        rest.resize(rest.size() + 3);
        for (int32_t g = 0; g < prepared.row.groups; ++g) {
          const InputGroup group = prepared.groups[g];
          EXPECT_NE(group.bytes, 0u);
          for (int64_t b = 0; b < 4; ++b) {
            const uint32_t byte = group.bytes >> (8 * b) & 255;
            EXPECT_LE(static_cast<int32_t>(byte), kernels->largest_byte);
            ASSERT_TRUE(byte == 0 || 4 * group.index + b < width);
            rest[4 * group.index + b] -= double{prepared.row.scale} * byte;
          }
        }
        double squares = 0, errors = 0;
        for (const float value : x) squares += double{value} * value;
        for (const double value : rest) errors += value * value;
        EXPECT_GE(prepared.row.norm, std::sqrt(squares));
        EXPECT_LE(prepared.row.norm, 1.001 * std::sqrt(squares) + 1e-15);
        EXPECT_GE(prepared.row.error, std::sqrt(errors));
        EXPECT_LE(prepared.row.error, 0.51 * std::sqrt(width) * prepared.row.scale + 1e-6 * prepared.row.norm + 1e-15);
      }
    }
  }
}

TEST(SparseProduct, SeesNegativeElementsWhereverTheyAre) {
  for (const SparseProductKernels* kernels : EveryVersion()) {
    for (int64_t at = 0; at < 37; ++at) {
      std::vector<float> x(37, 1.0f);
      x[at] = -1e-30f;
      EXPECT_TRUE(Prepared(*kernels, x).row.negative) << at;
    }
    EXPECT_FALSE(Prepared(*kernels, std::vector<float>(37, -0.0f)).row.negative);
  }
}

TEST(SparseDots, AreFixedOrderDotsBitForBit) {
  for (simd::InstructionSet set : simd::AvailableInstructionSets()) {
    for (const int64_t width : kWidths) {
      Rng rng(static_cast<uint64_t>(width));
      for (const int64_t count : {1, 2, 5, 8}) {
        const std::vector<float> x = RowOfRuns(width, 20, 0.4, 1, width + count);
        std::vector<float> atoms(static_cast<size_t>(count * width));
        for (float& weight : atoms) weight = static_cast<float>(rng.Gaussian());
        std::vector<const float*> pointers;
        for (int64_t j = 0; j < count; ++j) pointers.push_back(atoms.data() + j * width);
        const Prepared prepared(SparseProductKernelsFor(simd::InstructionSet::kPortable), x);
        std::vector<float> products(static_cast<size_t>(count));
        SparseDotsFor(set)(x.data(), width, prepared.tiles.data(), prepared.stride, prepared.row.tiles, pointers.data(),
                           count, products.data());
        for (int64_t j = 0; j < count; ++j) {
          const float expected = simd::FixedOrderDot(x.data(), pointers[j], width);
          EXPECT_EQ(std::memcmp(&products[j], &expected, sizeof(float)), 0) << products[j] << " " << expected;
        }
      }
    }
  }
}

// Atoms that do not move.
struct RestingAtoms {
  RestingAtoms(int64_t unit_count, int64_t row_width)
      : units(unit_count),
        width(row_width),
        atoms(units * width),
        velocity(units * width),
        bias(units),
        shift(units),
        decay(units, 1.0f) {}

  // Refers to this.
  TiedParameters Parameters() {
    TiedParameters p;
    p.units = units;
    p.width = width;
    p.atoms = atoms.data();
    p.atom_velocity = velocity.data();
    p.bias = bias.data();
    p.shift = shift.data();
    p.decay = decay.data();
    return p;
  }

  int64_t units, width;
  std::vector<float> atoms, velocity, bias, shift, decay;
};

// Of rows of positive numbers and zeros, less an offset or as they are.
void ExpectBoundsToHold(bool has_offset) {
  constexpr int64_t kUnits = 70, kPadded = 128;
  for (const SparseProductKernels* kernels : EveryVersion()) {
    for (const int64_t width : kWidths) {
      Rng rng(static_cast<uint64_t>(width));
      std::vector<float> offset(static_cast<size_t>(has_offset ? width : 0));
      for (float& value : offset) value = static_cast<float>(rng.Uniform());
      RestingAtoms resting(kUnits, width);
      std::vector<float>& atoms = resting.atoms;
      for (float& weight : atoms) weight = static_cast<float>(rng.Gaussian());
      for (float& value : resting.bias) value = static_cast<float>(rng.Gaussian());
      std::fill_n(atoms.begin(), width, 0.0f);
      TiedParameters p = resting.Parameters();
      if (has_offset) p.offset = offset.data();
      ByteAtoms byte_atoms(p, TiedKernelsFor(simd::AvailableInstructionSets().front()), kernels->largest_weight);
      for (int64_t unit = 0; unit < kUnits; ++unit) byte_atoms.Update(unit);
      // Atoms that have moved on a little since their bytes were made.
      for (float& weight : atoms) weight += static_cast<float>(0.001 * rng.Gaussian());
      for (int64_t unit = 0; unit < kUnits; ++unit) byte_atoms.Update(unit);

      std::vector<float> x = RowOfRuns(width, 7, 0.5, 2, width);
      for (size_t d = 0; d < offset.size(); ++d) x[d] -= offset[d];
      const Prepared prepared(*kernels, x, offset);
      ASSERT_FALSE(prepared.row.negative);
      std::vector<float> upper(kPadded), lower(32);
      for (int64_t block = 0; block < 2; ++block) {
        kernels->score_block(prepared.row, prepared.groups.data(), byte_atoms.packed(block), byte_atoms.bounds(),
                             64 * block, upper.data() + 64 * block, lower.data() + 16 * block);
      }
      std::vector<float> exact(kPadded, -std::numeric_limits<float>::infinity());
      double largest_room = 0;
      for (int64_t unit = 0; unit < kUnits; ++unit) {
        exact[unit] = simd::FixedOrderDot(x.data(), atoms.data() + unit * width, width) + resting.bias[unit];
        EXPECT_GE(upper[unit], exact[unit]);
        largest_room = std::max(largest_room, double{upper[unit]} - exact[unit]);
      }
      for (int64_t unit = kUnits; unit < kPadded; ++unit) EXPECT_EQ(upper[unit], -INFINITY);
      // A bound that holds everything would be of no use: errors of half a step of each of |x|'s and w's bytes.
      EXPECT_LT(largest_room, 0.06 * std::sqrt(width) * prepared.row.norm + 1e-4);
      for (int64_t block = 0; block < 2; ++block) {
        std::vector<float> best(exact.begin() + 64 * block, exact.begin() + 64 * (block + 1));
        std::sort(best.begin(), best.end(), std::greater<>());
        std::vector<float> bounds(lower.begin() + 16 * block, lower.begin() + 16 * (block + 1));
        std::sort(bounds.begin(), bounds.end(), std::greater<>());
        // Each is a bound of another unit, so the k-th largest bound is below the k-th largest score.
        for (int64_t k = 0; k < 16; ++k) EXPECT_LE(bounds[k], best[k]) << k;
      }
    }
  }
}

TEST(SparseProduct, BoundsHoldTheExactScores) { ExpectBoundsToHold(false); }
TEST(SparseProduct, BoundsHoldTheExactScoresOfRowsLessAnOffset) { ExpectBoundsToHold(true); }

// Sums of products reach their limits where all elements of a row, and all weights, are the largest.
TEST(SparseProduct, SumsOfTheLargestBytesDoNotSaturate) {
  constexpr int64_t kUnits = 2, kWidth = 60;
  RestingAtoms resting(kUnits, kWidth);
  std::fill(resting.atoms.begin(), resting.atoms.end(), 1.0f);
  std::fill_n(resting.atoms.begin(), kWidth, -1.0f);
  const TiedParameters p = resting.Parameters();
  for (const SparseProductKernels* kernels : EveryVersion()) {
    ByteAtoms byte_atoms(p, TiedKernelsFor(simd::AvailableInstructionSets().front()), kernels->largest_weight);
    for (int64_t unit = 0; unit < kUnits; ++unit) byte_atoms.Update(unit);
    const Prepared prepared(*kernels, std::vector<float>(kWidth, 1.0f));
    std::vector<float> upper(64), lower(16);
    kernels->score_block(prepared.row, prepared.groups.data(), byte_atoms.packed(0), byte_atoms.bounds(), 0,
                         upper.data(), lower.data());
    EXPECT_NEAR(upper[0], -kWidth, 0.01);
    EXPECT_NEAR(upper[1], kWidth, 0.01);
  }
}

}  // namespace
}  // namespace kwta::onednn::tied::sparse_product_test
