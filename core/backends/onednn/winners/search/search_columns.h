// Scores of few maps at all positions of an image of one channel, column by column, and the resulting winners. These
// are the inner loops of WinnerSearch (winner_search.h) if a vector holds all maps and registers hold all weights. They
// find what tiles (search_tiles.h) find. docs/kernels/winners.md has the idea.
//
// Two neighbouring columns of positions are computed at once, from their first row of pixels that is not all zeros to
// the last one. Their positions are cut into stretches of kColumnRows rows, and a maximum of each map is kept per
// stretch.
#pragma once

#include <cstdint>

#include "core/backends/onednn/winners/search/search_images.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::winners {

// The most rows of a filter, and the rows of positions in a stretch.
constexpr int64_t kColumnRows = 7;
constexpr int64_t kMinColumnFilter = 5;
// Positions of a stretch. Kernels check four at a time, so there is room for 16.
constexpr int64_t kStretchSlots = 2 * kColumnRows;
constexpr int64_t kStretchWords = DivideUp(kStretchSlots, 4);
constexpr int kPlaceSlotBits = 4;
// Rows of a padded image are numbered in bytes.
constexpr int64_t kMaxColumnHeight = 200;

// The positions of a stretch's scores. Slot 2 i + j is the position i rows below the first and j to the right.
struct ColumnStretch {
  int32_t position = 0;  // of slot 0, y * width + x; rows above the image are negative, and never reach a threshold
  int32_t patch = 0;     // where the patch of slot 0 begins, y * stride + x
  int32_t slots = 0;
};

// The scores of an image. Stretches follow one another.
struct ColumnScores {
  int32_t* scores = nullptr;  // [stretches, kStretchSlots, lanes] and two vectors
  int32_t* maxima = nullptr;  // [stretches, lanes]
  ColumnStretch* stretches = nullptr;
  int64_t count = 0;

  // The most stretches that an image can have.
  static int64_t MaxStretches(const PaddedShape& shape) {
    const int64_t rows = shape.padded_height() + kColumnRows - 1;
    return DivideUp(shape.width, 2) * DivideUp(rows, kColumnRows) + 1;
  }
};

struct ColumnScoreArgs {
  const uint8_t* bytes = nullptr;   // laid out as PaddedShape says; byte zero is pixel zero
  const int8_t* weights = nullptr;  // [groups, lanes, 4], aligned to 64 bytes
  uint8_t* ends = nullptr;          // scratch [2, ColumnEnds(shape)]
  // [padded height + kColumnRows - 1]: the initial sums of row y, at y + kColumnRows - 1. They are zero, or outside the
  // image a number that keeps the sums below every threshold.
  const int32_t* starts = nullptr;
};

// The inputs that decide among a map's positions.
struct ColumnWinnersArgs {
  const float* pixels = nullptr;         // laid out as PaddedShape says
  const float* exact_weights = nullptr;  // [maps, size, kFilterSize]
  const float* bias = nullptr;           // [maps]
  const int32_t* thresholds = nullptr;   // [lanes]
  int64_t maps = 0;
  int32_t* hits = nullptr;    // scratch [stretches]
  uint64_t* words = nullptr;  // scratch [stretches * kStretchWords]
  int32_t* slots = nullptr;   // scratch [stretches * kStretchWords]
};

struct ColumnKernels {
  // Computes the scores of a vector of maps at all positions that see a pixel, and at the first position that sees
  // none.
  void (*score)(const PaddedShape& shape, const ColumnScoreArgs& args, ColumnScores* scores);
  // Writes units[maps] (map * positions + position, or -1) and values[maps] of the winners, which are among the
  // positions whose scores reach the maps' thresholds.
  void (*winners)(const PaddedShape& shape, const ColumnScores& scores, const ColumnWinnersArgs& args, int32_t* units,
                  float* values);
};

// Number of elements in a row of ColumnScoreArgs::ends.
inline int64_t ColumnEnds(const PaddedShape& shape) { return shape.stride() + kImageSlack; }

// True if there are kernels for these filters and images.
inline bool SuitsColumns(const PaddedShape& shape) {
  return shape.channels == 1 && shape.size >= kMinColumnFilter && shape.size <= kColumnRows && shape.width >= 2 &&
         shape.padded_height() <= kMaxColumnHeight;
}

// Null for instruction sets whose registers cannot hold a filter. REQUIRES: set is in AvailableInstructionSets().
const ColumnKernels* ColumnKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
