// Rows of convolutional maps in the fixed order of summation (core/simd/fixed_order_convolution.h), without multiplying
// by zero pixels: the inner loops of ConvWinners and ConvPool, one version per instruction set.
//
// Vectors run over maps: a block is `lanes` maps, and their activities at one position lie side by side. The partial
// sum of a filter's column dx at position (y, x) reads only one image column, u = x - (size - 1) / 2 + dx, and its rows
// y - (size - 1) / 2 .. y + size / 2. So one visit of (y, u) yields the partial sums of all `size` columns of the
// filters, for as many positions. The activity of a position adds up the results of `size` neighbouring visits.
//
// In an image with few zeros, such as pooled maps of a layer below, skipping gains nothing. Neighbouring columns are
// then visited together, so that a weight is read once for all of them. Products with zero change no sum.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::winners {

// A pixel that is not zero.
struct ColumnPixel {
  float value;
  int32_t offset;  // row * size * lanes: the distance between the weights that it meets on its way down a filter
};

// Pixels of one column of one channel, rows ascending.
struct PixelSpan {
  const ColumnPixel* begin;
  const ColumnPixel* end;
};

// The pixels of an image that row y reads: its columns u with a pixel in reach, ascending.
struct RowVisits {
  int64_t count = 0;
  int32_t* columns = nullptr;  // [count]: u
  PixelSpan* spans = nullptr;  // [count, channels]
};

// The widest filters that can see a `dense` image.
inline constexpr int64_t kWidestDense = 9;

struct ConvolutionRowArgs {
  int64_t channels = 0, height = 0, width = 0, size = 0;
  int64_t y = 0;
  const float* dense = nullptr;  // [channels, height, width], zeros included; null: what `visits` says
  RowVisits visits;
  const float* filters = nullptr;   // a block: [channels, dy, dx, lanes]
  const float* bias = nullptr;      // [lanes]
  float* sums = nullptr;            // scratch [width, size, lanes]
  const float** columns = nullptr;  // scratch [width + size - 1], filled with `zeros` beside the image
  const float* zeros = nullptr;     // [size, lanes] zeros
  float* tree = nullptr;            // scratch [size, lanes]
  float* z = nullptr;               // out [width, lanes]: activities of row y, bias included
};

// The largest positive activities of a block so far and their positions, -1 at first. Several parts take positions in
// turn, because a comparison takes longer than a position should.
struct WinnersSoFar {
  static constexpr int kParts = 4;
  float* values = nullptr;       // [kParts, lanes]
  int32_t* positions = nullptr;  // [kParts, lanes]
};

// Takes maxima over windows of a row of activities and, through `output`, of the rows before it.
struct PoolRowArgs {
  const float* z = nullptr;  // [width, lanes]
  int64_t width = 0;
  int64_t window = 0, stride = 0, padding = 0;
  int64_t pooled_width = 0;
  int64_t first_row = 0, last_row = 0;  // the pooled rows first_row .. last_row - 1 see this row
  float* row = nullptr;                 // scratch [pooled_width, lanes]
  float* output = nullptr;              // in, out [pooled height, pooled_width, lanes]
};

// Arrays with `lanes` as their last extent are aligned to 64 bytes.
struct ConvolutionRowKernels {
  int64_t lanes;
  void (*row)(const ConvolutionRowArgs& args);
  // Takes in z[width, lanes], whose first element is at `position`; on a tie the earlier winner stays.
  void (*winners)(const float* z, int64_t width, int32_t position, const WinnersSoFar& winners);
  void (*pool)(const PoolRowArgs& args);
};

// REQUIRES: set is in AvailableInstructionSets().
const ConvolutionRowKernels& ConvolutionRowKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
