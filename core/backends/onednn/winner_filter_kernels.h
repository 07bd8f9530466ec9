// The inner loops of the filter that finds where a map's winner can be (winner_filter.h).
#pragma once

#include <cstdint>

#include "core/backends/instruction_sets.h"

namespace kwta {

// A block of maps is up to kFilterVectors vectors of kFilterLanes maps.
constexpr int64_t kFilterLanes = 16;
constexpr int64_t kFilterVectors = 8;

// Scores of a block of maps at positions of one image. A group is four neighbouring pixels of a row of a patch and the
// four weights of each map that they meet; score = sum over groups of the products of pixels and weights.
struct FilterScoreArgs {
  const uint8_t* pixels = nullptr;   // the image, padded
  const int32_t* offsets = nullptr;  // [groups] from a patch's first pixel to the group's
  int64_t groups = 0;
  const int8_t* weights = nullptr;   // [groups, vectors, lanes, 4], aligned to 64 bytes
  const int32_t* patches = nullptr;  // [count] the first pixel of a position's patch
  const uint64_t* masks = nullptr;   // [count] the groups that are not all zeros, or null for all groups
  int64_t count = 0;                 // of positions
  const int32_t* margins = nullptr;  // [vectors, lanes] how far below the best a winner's score can be, at least 0
  int32_t* thresholds = nullptr;  // in, out [vectors, lanes] the lowest score that a winner can have, as known so far
  // Out: scores that were not below the threshold when they were seen, with the index of the position times vectors *
  // lanes plus the map's lane. Room for count * vectors * lanes + lanes.
  int32_t* scores = nullptr;
  int32_t* places = nullptr;
};

// Returns how many candidates there are.
using FilterScoreFunction = int64_t (*)(const FilterScoreArgs& args);

// For 1 .. kFilterVectors vectors. The processor's byte products (AVX-512 VNNI), or null where it has none.
FilterScoreFunction VnniFilterScores(int64_t vectors);
// The same in plain loops, for tests.
FilterScoreFunction EmulatedFilterScores(int64_t vectors);

// What is done with images, one version for each instruction set.
struct FilterImageKernels {
  // z of one position before its bias, in the fixed order, of a filter with up to 8 columns. Its rows are `weights`
  // [channels, size, 8], zeros behind the columns it has; 8 pixels are read of each row of the patch.
  float (*narrow_convolution)(const float* patch, int64_t channel_stride, int64_t row_stride, const float* weights,
                              int64_t channels, int64_t size);
  // bytes = x / step + zero, rounded, `inverse` being 1 / step; adds x^2 to squares and (x - step (bytes - zero))^2 to
  // residuals.
  void (*quantise)(const float* x, int64_t n, float step, float inverse, float zero, uint8_t* bytes, float* squares,
                   float* residuals);
  // The largest sum over windows of size x size in squares[rows + size - 1, stride], which is overwritten.
  float (*largest_square)(float* squares, int64_t rows, int64_t columns, int64_t stride, int64_t size);
  // occupied[columns]: bit h says whether one of the bytes x + 4 h .. x + 4 h + 3 is not zero, h < groups (1 or 2).
  void (*occupied)(const uint8_t* bytes, int64_t columns, int64_t groups, uint8_t* occupied);
  // masks[x] |= occupied[x] << shift.
  void (*add_masks)(const uint8_t* occupied, int64_t columns, int64_t shift, uint64_t* masks);
  // How many bits of each mask are set.
  void (*count_groups)(const uint64_t* masks, int64_t n, uint8_t* counts);
};

// REQUIRES: set is in AvailableInstructionSets().
const FilterImageKernels& FilterImageKernelsFor(InstructionSet set);

}  // namespace kwta
