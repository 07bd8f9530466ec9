// The inner loops of the search for winners (winner_search.h) by tiles of positions, one version per instruction set.
//
// A tile is 1 x 2 or 2 x 2 neighbouring positions. A group is four bytes that one instruction multiplies
// (search_groups.h), such as four neighbouring pixels of a row of a filter. It is the same for every position of a
// tile, except for the place of the pixels.
#pragma once

#include <cstdint>

#include "core/backends/onednn/winners/search/search_images.h"

namespace kwta::onednn::winners {

// The most vectors of maps in a block, for tiles of two and of four positions.
constexpr int64_t kTileVectors = 8;
constexpr int64_t kSquareTileVectors = 4;
// A place is tile << kLaneBits | lane of the block.
constexpr int kLaneBits = 7;
constexpr int64_t kMaxBlockLanes = 1 << kLaneBits;
// One maximum is kept for this many tiles, besides that of each tile.
constexpr int64_t kStretchTiles = 4;
// Groups that a mask can hold.
constexpr int64_t kMaskGroups = 64;
// Where no instruction sums products in 32 bits, sums of 16 bits (core/simd/sums_in_16_bits.h) are widened after each
// group, or after a step of so many groups that follow each other if a search takes all of them.
constexpr int64_t kStepGroups = 5;
// The largest magnitude of a weight.
constexpr int32_t kLargestFilterWeight = 127;
// Tiles of an image, each inside the map. The last of a row or column overlaps its neighbour if it must.
struct SearchTiles {
  int32_t* patches = nullptr;  // start of the patch of the tile's first position
  uint64_t* masks = nullptr;   // groups (c, dy, h) that are not zero for all its positions; null: use all
  int64_t count = 0;
  uint64_t* unsorted_masks = nullptr;  // scratch, as the others [positions]
  int32_t* unsorted_patches = nullptr;
};

// Scores of a block of maps at all positions. A score is the sum over groups of the products of pixels and weights.
struct TileScoreArgs {
  const uint8_t* bytes = nullptr;   // [rows, stride, pixel_bytes]
  const uint8_t* stacks = nullptr;  // [rows, stride, 4]: bytes of four rows
  int64_t pixel_bytes = 1;
  int64_t stride = 0;  // of a row, in pixels
  SearchTiles tiles;
  const int32_t* offsets = nullptr;  // [groups] in bytes from a patch's first pixel to the group's
  int64_t row_groups = 0;            // the first groups are in bytes, the others in stacks
  int64_t groups = 0;
  // If not null, widen sums of 16 bits only after kStepGroups groups (or at the end of a kind of groups), and subtract
  // kMiddleByte from every pixel: [steps, vectors, lanes, 2] is -kMiddleByte times the sum of the weights, in 16 bits.
  // Without tiles.masks.
  const uint16_t* step_starts = nullptr;
  const int8_t* weights = nullptr;    // [groups, vectors, lanes, 4], aligned to 64 bytes
  int32_t* maxima = nullptr;          // out [tiles, vectors, lanes]: over the positions of a tile
  int32_t* stretch_maxima = nullptr;  // out [stretches, vectors, lanes]: over kStretchTiles tiles, fewer in the last
};

// The bounds of a block's maps: one number per lane.
struct MapBounds {
  // A winner's score times the image's step is at most norm * of_norm + residual_norm * of_residual + constant below
  // the best one's. The norms are the largest of the image's patches and of their residuals.
  const float* of_norm = nullptr;
  const float* of_residual = nullptr;
  const float* constant = nullptr;
  const float* bias = nullptr;        // divided by the step of the map
  const int32_t* zero_sum = nullptr;  // sum of the map's weights
};

// Squared lengths of a filter and of its rounding residual, and the sum of the whole numbers.
struct FilterNorms {
  float squares = 0;
  float above = 0, below = 0;  // of residuals above and below zero
  int32_t sum = 0;
};

struct TileKernels {
  int64_t lanes;
  bool sums_in_16_bits;  // weights must keep simd::kPairSumLimit

  // Writes one map's filter [rows, size] in whole numbers of `step` to weights: rows of groups of four, group_stride
  // bytes apart. Copies it unrounded to exact [rows, kFilterSize], with zeros behind each row.
  void (*quantise_filter)(const float* filter, int64_t rows, int64_t size, float step, int64_t group_stride,
                          int8_t* weights, float* exact, FilterNorms* norms);
  // Fills tiles of 1 x 2 or 2 x 2 positions: those that see a pixel, by falling number of groups, then the first of
  // those that see none. `rows` and `fields` are scratch: [channels, padded_height, stride] and [channels, stride],
  // both with slack. REQUIRES: the groups fit into a mask, and a tile into the map.
  void (*list_tiles)(const PaddedShape& shape, int64_t positions, const uint8_t* bytes, uint8_t* rows, uint16_t* fields,
                     SearchTiles* tiles);
  // Scores tiles of 2 positions (vectors 1 .. kTileVectors) or 4 (.. kSquareTileVectors).
  void (*score)(int64_t positions, int64_t vectors, const TileScoreArgs& args);
  // Computes thresholds[vectors, lanes] of the scores that a winner can have; `step` is that of the image's bytes.
  void (*thresholds)(const MapBounds& bounds, int64_t vectors, const int32_t* stretch_maxima, int64_t stretches,
                     float norm, float residual_norm, float step, int32_t zero, int32_t* thresholds);
  // Lists the places where a tile's maximum from `score` reaches the map's threshold, and returns their number.
  // `scratch` and `places` have room for a vector more than there can be.
  int64_t (*candidates)(const TileScoreArgs& args, int64_t vectors, const int32_t* thresholds, int32_t* scratch,
                        int32_t* places);
  // Computes activities of one map at the positions of a tile, in the fixed order. weights [channels, size,
  // kFilterSize] are the filter's rows, with zeros behind them.
  void (*activities)(const PaddedShape& shape, int64_t positions, const float* patch, const float* weights, float bias,
                     float* z);
};

// REQUIRES: set is in AvailableInstructionSets().
const TileKernels& TileKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
