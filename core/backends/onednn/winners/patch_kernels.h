// The inner loops of WinnerDecode and WinnerGradient, one version per instruction set.
//
// Vectors run along the columns of patches: a row of a filter is as wide as one or two of them.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::winners {

// From this many channels on, they lie side by side at each pixel. With fewer, a row of a filter is about as long as
// its vectors.
inline constexpr int64_t kInterleavedChannels = 16;

// Filters for Place. Row (m, c, dy) is `stride` = span * lanes floats: its weights, then zeros. lanes - 1 zeros go
// before the first row, so that a row can be read as `span` vectors that begin up to lanes - 1 elements before it.
// `span` is the number of aligned vectors that a row of weights can touch.
struct PlacedFilters {
  int64_t size = 0, span = 0, stride = 0;
  const float* rows = nullptr;  // [maps, channels, size, stride]
};

// An image that winners are placed in. Its rows begin after a margin of whole vectors that takes the part of a filter
// left of the image, and have room for `span` vectors from any position.
struct PlacedImage {
  int64_t channels = 0, height = 0, width = 0, margin = 0, stride = 0;
  int64_t channel_stride = 0;  // at least height * stride
  int64_t pixel = 1;  // elements from one pixel to the next; if not one, `channels` is and margin = before * pixel
  float* pixels = nullptr;  // in, out [channels, channel_stride], aligned to a vector
};

// A winner of a map: the start of its patches in the padded images, and its value.
struct WinnerPatch {
  const float* residual;
  const float* x;
  float value;
};

// Patches of one array of padded images; whole vectors of it may be read.
struct PatchShape {
  int64_t size = 0;
  int64_t row_vectors = 0;                     // of a row of a filter
  int64_t row_stride = 0, channel_stride = 0;  // of the padded images, in elements
};

struct MapGradientArgs {
  const WinnerPatch* winners = nullptr;  // [count]
  int64_t count = 0;
  int64_t channels = 0;
  PatchShape residual, x;
  float twice_scale = 0;
  // Rows of filters, row_vectors vectors each. The elements behind a row's weights are zero in `decoder` and mean
  // nothing in the gradients. The gradients may be the same array.
  const float* decoder = nullptr;     // [channels, residual.size, row_vectors, patch lanes]
  float* gradient_decoder = nullptr;  // in, out, likewise
  float* gradient_encoder = nullptr;  // in, out [channels, x.size, row_vectors, patch lanes]
};

// Pointers need no alignment unless stated otherwise.
struct PatchKernels {
  int64_t lanes;
  // Adds the filter of every winner, times its value, around its position. units and values are as in WinnerDecodeArgs.
  void (*place)(const PlacedFilters& filters, const int32_t* units, const float* values, int64_t entries,
                const PlacedImage& image);
  // Adds the winners of a map to its gradients, in their order; returns the sum of their dz.
  double (*map_gradient)(const MapGradientArgs& args);
  // Sum in binary64.
  double (*sum)(const float* x, int64_t n);
};

// REQUIRES: set is in AvailableInstructionSets().
const PatchKernels& PatchKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
