// The inner loops of WinnerPass besides the search and the placing of winners, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::winners {

// Rows of filters and of their gradients are whole vectors of this many elements.
constexpr int64_t kPassLanes = 8;
// Elements on both sides of a residual's rows: whole vectors of every instruction set.
constexpr int64_t kResidualMargin = 16;

// A residual image, [channels, padded_height, stride], with zeros around it so that patches need no clipping. The pixel
// (y, x) is at row y + before and column x + margin. The margin is kResidualMargin. The length of rows is a
// multiple of it, and at least as many elements follow the last pixel.
struct ResidualImage {
  int64_t channels = 0, height = 0, width = 0;
  int64_t before = 0, padded_height = 0, margin = 0, stride = 0;
  float* pixels = nullptr;

  int64_t plane() const { return padded_height * stride; }
  float* first_row(int64_t channel) const { return pixels + channel * plane() + before * stride; }
};

// The gradients of the images of a chunk, which are then summed over chunks.
struct ChunkGradients {
  float* encoder = nullptr;  // [maps, channels, size, kPassLanes]
  float* decoder = nullptr;  // [maps, channels, decoder size, kPassLanes]; the encoder array if the weights are tied
  double* bias = nullptr;    // [maps]
  int32_t* active_rows = nullptr;  // [maps]
};

// The winners of an image and the patches that they see.
struct ImageGradientArgs {
  int64_t maps = 0, channels = 0;
  const int32_t* units = nullptr;  // [maps]: map * positions + position, or -1
  const float* values = nullptr;   // [maps]
  int64_t positions = 0, width = 0;
  // The patch of (y, x) begins at y * stride + x; whole vectors of its rows may be read.
  const float* x = nullptr;
  int64_t size = 0, x_stride = 0, x_plane = 0;
  const float* residual = nullptr;
  int64_t decoder_size = 0, residual_stride = 0, residual_plane = 0;
  // Rows of decoder filters, decoder_stride apart, a vector each with zeros behind the weights: [maps, channels, size].
  const float* decoder = nullptr;
  int64_t decoder_stride = 0;
  float twice_scale = 0;
  ChunkGradients gradients;
};

struct PassKernels {
  // Computes residual = bias - x; `finish` clears what lies beside the image.
  void (*start)(const ResidualImage& residual, const float* bias, const float* x);
  // Clears what lies beside the image again. Returns the sum of squares and adds the sums of each channel.
  double (*finish)(const ResidualImage& residual, double* channel_sums);
  // Adds an image's winners to the gradients of its chunk.
  void (*gradient)(const ImageGradientArgs& args);
  // Computes sum[i] = the sum over chunks of parts[chunk * stride + i], for i < n, in their order.
  void (*add_chunks)(const float* parts, int64_t chunks, int64_t stride, int64_t n, float* sum);
};

// REQUIRES: set is in AvailableInstructionSets().
const PassKernels& PassKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
