// Approximate scores of rows against a dictionary of bytes. The byte filters (byte_filter.h, sampled_filter.h) start
// from this product. docs/kernels/codes.md has the idea and the layout.
//
// A row is x[d] = scale * (bytes[d] - zero_point) + r[d], an atom is w[d] = mean[d] + scale' * q[d] + e[d] (see
// quantised_atoms.h). The product of the rounded parts is exact in 32 bits; |r| and |e| bound the loss.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/divide_up.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::codes {

// Units whose weights lie together, in the layout [quad][unit][4]: quad p holds elements 4p .. 4p + 3.
constexpr int64_t kPanelUnits = 64;
// The most rows that are multiplied with a panel at once.
constexpr int64_t kByteTileRows = 6;
// The largest width at which sums of 255 * 127 stay within 32 bits.
constexpr int64_t kMaxQuantisedWidth = 65536;

// Elements of a row of bytes: the width, rounded up so that whole vectors can be read.
inline int64_t PaddedWidth(int64_t width) { return RoundUp(width, 64); }
// Where no instruction sums products in 32 bits, sums of 16 bits (core/simd/sums_in_16_bits.h) are widened after each
// step of one quad, or of so many that are next to each other.
constexpr int64_t kStepQuads = 4;
// Groups of four elements, in whole steps. Elements beyond the width have weight zero.
inline int64_t Quads(int64_t width) { return RoundUp(DivideUp(width, 4), kStepQuads); }
// The largest magnitude of a weight.
constexpr int32_t kLargestWeight = 127;

// How a row was converted to bytes.
struct QuantisedRow {
  float scale = 1;
  int32_t zero_point = 0;
  double norm = 0;           // |x|, rounded up
  double residual_norm = 0;  // |r|, rounded up
};

// A panel of a quantised dictionary. Units beyond the last one have weights, scale and sum zero and bias -infinity.
struct AtomPanel {
  const int8_t* weights = nullptr;  // [quads][kPanelUnits][4], aligned to 64 bytes
  const float* scales = nullptr;    // [kPanelUnits], like the other arrays
  const float* bias = nullptr;
  const int32_t* sums = nullptr;  // of each unit's weights
  // [quads / kStepQuads][kPanelUnits][2]: -kMiddleByte times the sum of the weights that a sum of 16 bits meets. Null
  // if a step is one quad.
  const int16_t* step_starts = nullptr;
};

// Rows that are multiplied together, and the quads in which any of them is not zero, or all quads in steps.
struct RowTile {
  int32_t first_row = 0;
  int32_t rows = 0;  // 1, 2 or kByteTileRows
  int32_t quads = 0;
  int32_t step_quads = 1;            // kStepQuads only if the tile has all quads
  const int32_t* offsets = nullptr;  // [quads]: bytes into a panel
  const int32_t* bytes = nullptr;    // [quads][rows], four elements each
};

// Units whose scores reached a row's threshold. `scores` and `units` have room for kListMargin more than `capacity`.
struct ScoredUnits {
  float* scores = nullptr;
  int32_t* units = nullptr;
  int64_t size = 0;  // more than capacity if some did not fit
  int64_t capacity = 0;
};
constexpr int64_t kListMargin = 2 * kPanelUnits;

// One version for each instruction set. Thread-safe.
struct ByteKernels {
  // Whether weights must keep simd::kPairSumLimit, and those of steps simd::kStepSumLimit.
  bool sums_in_16_bits;
  // Writes bytes[PaddedWidth(n)] from x[n]; beyond n they are zero_point. If a row is as long as 2^100, all of it is
  // rest.
  // REQUIRES: x is finite.
  QuantisedRow (*quantise)(const float* x, int64_t n, uint8_t* bytes);
  // Sum of squares of bytes[n], n <= kMaxQuantisedWidth.
  uint64_t (*byte_norm)(const uint8_t* bytes, int64_t n);
  // Sets bit p of mask for each of `quads` quads that is not zero; mask has whole words, bytes PaddedWidth.
  void (*nonzero_quads)(const uint8_t* bytes, int64_t quads, uint64_t* mask);
  // Computes scores[row * stride + unit] = scale (sum bytes q - zero_point sum q) scale' + bias for the tile's rows
  // (which begin at tile.first_row in `rows` and `scores`) and the panel's units.
  void (*score_tile)(const RowTile& tile, const QuantisedRow* rows, const AtomPanel& panel, float* scores,
                     int64_t stride);
  // Appends the units whose score reaches least[row], with that score, to lists[row]. first_unit is the panel's first
  // unit.
  void (*collect_tile)(const RowTile& tile, const QuantisedRow* rows, const AtomPanel& panel, int64_t first_unit,
                       const float* least, ScoredUnits* lists);
  // sums[i] = sum over n bytes of bytes[d] * weights[units[i] * n + d]. The weights keep simd::kPairSumLimit where
  // sums have 16 bits. REQUIRES: n is a multiple of 64.
  void (*row_products)(const uint8_t* bytes, int64_t n, const int8_t* weights, const int32_t* units, int64_t count,
                       int32_t* sums);
};

// REQUIRES: set is in AvailableInstructionSets().
const ByteKernels& ByteKernelsFor(simd::InstructionSet set);

// A block of rows prepared for score_tile: groups rows into tiles that need the fewest products.
// Not thread-safe.
class RowTiles {
 public:
  // Bytes of memory, aligned to 64, that Build needs for `rows` rows.
  static int64_t MemoryBytes(int64_t rows, int64_t width);

  // Copies bytes[rows, PaddedWidth(width)] from `quantise` (or from an image, with zero_point 0). `memory` must outlive
  // the tiles. step_quads, 1 or kStepQuads, is that of the atoms.
  void Build(const ByteKernels& kernels, const uint8_t* bytes, const QuantisedRow* quantised, int64_t rows,
             int64_t width, int64_t step_quads, void* memory);

  const RowTile* begin() const { return tiles_; }
  const RowTile* end() const { return tiles_ + count_; }

 private:
  void Add(const uint8_t* bytes, int64_t first_row, int64_t rows);
  int64_t UnionSize(int64_t first_row, int64_t rows) const;

  int64_t width_ = 0;
  int64_t padded_width_ = 0;
  int64_t step_quads_ = 1;
  int64_t words_ = 0;  // of a row's mask
  uint64_t* masks_ = nullptr;
  RowTile* tiles_ = nullptr;
  int64_t count_ = 0;
  int32_t* next_ = nullptr;  // where the next tile's offsets and bytes go
};

}  // namespace kwta::onednn::codes
