// Scores of a row that is mostly zeros: an 8-bit product over the row's non-zero elements, with a proven bound on its
// distance from the exact score. docs/kernels/tied.md, "Sparse rows", has the idea and the proof.
#pragma once

#include <cstdint>

#include "core/base/aligned_vector.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::tied {

// Units whose scores are computed together. Their share of the packed atoms fits into the innermost cache.
constexpr int64_t kUnitBlock = 64;
// Inputs that one instruction multiplies.
constexpr int64_t kGroupInputs = 4;
// Exact scores skip a tile of inputs if it is all zero. They never skip inputs that fill no tile.
constexpr int64_t kTileInputs = 16;
// A tile adds to the partial sums of its class, tile % 4, in FixedOrderDot's order.
constexpr int64_t kTileClasses = 4;

// Four inputs as bytes, the first in the lowest; at least one is not zero.
struct InputGroup {
  int32_t index;  // of the group: inputs 4 index .. 4 index + 3
  uint32_t bytes;
};

// A row y = x + offset >= 0 as scale * bytes + error. Bounds are rounded up.
struct SparseRow {
  bool negative = false;  // some y < 0: nothing else holds
  float largest = 0;      // of y
  float scale = 0;
  float norm = 0;   // >= |y|
  float error = 0;  // >= |y - scale * bytes| with the exact y
  int32_t groups = 0;
  int32_t tiles[kTileClasses] = {};  // of each class: how many tiles of x are not all zero
};

// Bounds of the units, [units] each, padded to whole blocks with units that score minus infinity.
struct ByteAtomBounds {
  AlignedVector<float> scale;       // atom = scale * bytes + rest
  AlignedVector<float> bias_above;  // bias - <offset, atom>, with room for rounding
  AlignedVector<float> bias_below;
  AlignedVector<float> above;   // the exact score is at most the approximate one + |y| above + error * length
  AlignedVector<float> below;   // and at least the approximate one - |y| below - error * length
  AlignedVector<float> length;  // >= |scale * bytes|
};

// One version for each instruction set. Every function is thread-safe.
struct SparseProductKernels {
  // The largest byte of a row and the largest magnitude of a byte of an atom, so that no sum of products saturates.
  int32_t largest_byte, largest_weight;
  // As PrepareSparseRow, but norm and error are squared, with some rounding.
  SparseRow (*prepare_row)(const float* x, const float* offset, int64_t width, InputGroup* groups, int32_t* tiles,
                           int64_t tile_stride);
  // Computes upper bounds of the exact scores of a block of units, and 16 lower bounds of scores, each of a different
  // unit of the block. packed: [group][64][4] bytes.
  void (*score_block)(const SparseRow& row, const InputGroup* groups, const int8_t* packed,
                      const ByteAtomBounds& bounds, int64_t first_unit, float* upper, float* lower);
};

// offset is [width], or null for zeros. groups has room for width / 4 + 4 entries. tiles has room for 4 * tile_stride;
// those of class c begin at c * tile_stride.
SparseRow PrepareSparseRow(const SparseProductKernels& kernels, const float* x, const float* offset, int64_t width,
                           InputGroup* groups, int32_t* tiles, int64_t tile_stride);

// REQUIRES: set is in AvailableInstructionSets().
const SparseProductKernels& SparseProductKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::tied
