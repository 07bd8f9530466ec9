// Images in the form that the search for winners (winner_search.h) needs: padded, as pixels and as bytes, with the
// largest norms of their patches. The loops have one version per instruction set.
#pragma once

#include <cstdint>

#include "core/base/divide_up.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::winners {

// The widest filter. Kernels may read eight pixels of each row of a patch.
constexpr int64_t kFilterSize = 8;
// Elements that kernels may read beyond the arrays of a padded image.
constexpr int64_t kImageSlack = 128;

// A padded image: arrays [channels, padded_height, stride] of pixels and of bytes. The pixel (y, x) is at row y + (size
// - 1) / 2 and column x + (size - 1) / 2. Everything else is zero, or the byte of zero.
struct PaddedShape {
  PaddedShape() = default;
  PaddedShape(int64_t channels, int64_t height, int64_t width, int64_t size)
      : channels(channels), height(height), width(width), size(size) {}

  int64_t channels = 0, height = 0, width = 0, size = 0;

  int64_t before() const { return (size - 1) / 2; }
  int64_t padded_height() const { return height + size - 1; }
  int64_t stride() const { return RoundUp(width + kFilterSize, 16); }
  int64_t plane() const { return padded_height() * stride(); }
  // The size of an array with an element for each column of the map, rounded up to whole vectors of 16-bit numbers.
  int64_t columns() const { return RoundUp(width, 32); }
  int64_t groups_of_row() const { return DivideUp(size, 4); }
  int64_t groups() const { return channels * size * groups_of_row(); }
};

// Measurements of `load` on an image.
struct LoadedImage {
  float largest = 0;   // magnitude
  float smallest = 0;  // the smallest pixel, or 0
  float residual = 0;  // the largest |x - step bytes|
};

struct ImageKernels {
  // Copies an image to pixels and, if bytes is not null, x / step, rounded, to bytes. The bytes are meaningful only if
  // no pixel is negative or above 255 steps.
  void (*load)(const PaddedShape& shape, const float* image, float step, float* pixels, uint8_t* bytes,
               LoadedImage* loaded);
  // Writes bytes = x / step + zero, rounded; returns the largest |x - step (bytes - zero)|.
  float (*quantise)(const PaddedShape& shape, const float* pixels, float step, float zero, uint8_t* bytes);
  // Returns the largest sum of squares over patches, or slightly more: of pixels, or if bytes is not null of pixels -
  // step (bytes - zero). `squares` is scratch [padded_height, stride] and slack; its columns behind the image are zero.
  float (*largest_square)(const PaddedShape& shape, const float* pixels, const uint8_t* bytes, float step, float zero,
                          float* squares);
  // The same sum for bytes whose zero is 0. `squares` is scratch [padded_height, stride] and slack.
  int32_t (*largest_byte_square)(const PaddedShape& shape, const uint8_t* bytes, int32_t* squares);
};

// REQUIRES: set is in AvailableInstructionSets().
const ImageKernels& ImageKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::winners
