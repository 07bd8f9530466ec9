// Reads and writes PNG pictures with libpng, and tiles filters into one picture.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

// 8 bits per channel, interleaved: pixels[(y * width + x) * channels + c].
struct Image {
  int64_t channels = 1;  // 1: grey, 3: red, green, blue
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;
};

// Returns the bytes of a PNG file. Errors: INVALID_ARGUMENT if the extents are not 1 .. 2^31 - 1 or do not fit the
// pixels.
absl::StatusOr<std::string> EncodePng(const Image& image);
// Writes a PNG file atomically. Errors also: see core/files/files.h.
absl::Status WritePng(const std::string& path, const Image& image);

// Returns the stored numbers, grey or colour as in the file. Palettes become colour. Grey of 1, 2 or 4 bits is spread
// over 0 .. 255. 16 bits become 8 if those hold the same (multiples of 257). Chunks on gamma, colour spaces and
// orientation change nothing. Messages call the file `name`. Errors: DATA_LOSS (no PNG file, or a damaged one),
// INVALID_ARGUMENT (transparency, 16 bits that 8 do not hold, more than `max_pixels` pixels).
absl::StatusOr<Image> DecodePng(absl::string_view file, const std::string& name, int64_t max_pixels);

struct TileOptions {
  int64_t columns = 0;  // of tiles; 0 makes the picture about square
  int64_t zoom = 1;     // picture pixels per tile pixel, in each direction
  int64_t gap = 1;      // pixels between and around tiles, in the middle grey of a filter without contrast
};

// Tiles `count` filters [channels, height, width], 1 or 3 channels, into one picture, row after row. Scales each filter
// by itself, so that its smallest element is 0 and its largest 255. Also shows single images, or maps. REQUIRES: the
// elements are finite, shape has three extents of at least 1, the options are not negative and zoom is at least 1.
Image TileFilters(const float* filters, int64_t count, const Shape& shape, const TileOptions& options = {});

}  // namespace kwta
