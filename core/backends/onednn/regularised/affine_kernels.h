// Pre-activations of one row: many dot products in FixedOrderDot's order, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::regularised {

// Dots at a time.
constexpr int64_t kDots = 16;
// Inputs whose products are left out together if they are all zero. Tile t adds to the partial sums of class t % 4.
constexpr int64_t kTileInputs = 16;
constexpr int64_t kTileClasses = 4;

// The tiles of a row that are not all zero: those of class c are tiles[c * stride .. c * stride + counts[c] - 1].
struct RowTiles {
  int32_t* tiles = nullptr;
  int64_t stride = 0;  // at least the number of tiles of a class
  int32_t counts[kTileClasses] = {};
};

struct AffineKernels {
  // Fills in the tiles and counts of x[width]. Inputs that fill no tile belong to none.
  void (*list_tiles)(const float* x, int64_t width, RowTiles* tiles);
  // products[j] = FixedOrderDot(x, atoms + j * width, width) for j < count <= kDots, bit for bit if the atoms are
  // finite: what it leaves out are products of zero, which change no partial sum.
  void (*dots)(const float* x, int64_t width, const RowTiles& tiles, const float* atoms, int64_t count,
               float* products);
};

// REQUIRES: set is in AvailableInstructionSets().
const AffineKernels& AffineKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::regularised
