// PNG pictures, by libpng; and the picture of many filters.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

// 8 bits a channel, the channels of a pixel side by side: pixels[(y * width + x) * channels + c].
struct Image {
  int64_t channels = 1;  // 1: grey, 3: red, green, blue
  int64_t height = 0, width = 0;
  std::vector<uint8_t> pixels;
};

// The bytes of a PNG file. Errors: INVALID_ARGUMENT if the extents are not 1 .. 2^31 - 1 or do not fit the pixels.
absl::StatusOr<std::string> EncodePng(const Image& image);
// Writes it atomically. Errors also: as core/files/files.h says.
absl::Status WritePng(const std::string& path, const Image& image);

// The stored numbers: grey or colour as the file has it, palettes as colour; grey of 1, 2 or 4 bits spread over 0 ..
// 255; of 16 bits what 8 hold as well (multiples of 257). Chunks on gamma, colour spaces and orientation alter nothing.
// `name` is for messages. Errors: DATA_LOSS (no PNG file, or a damaged one), INVALID_ARGUMENT (transparency, 16 bits
// that 8 do not hold, more than `max_pixels` pixels).
absl::StatusOr<Image> DecodePng(absl::string_view file, const std::string& name, int64_t max_pixels);

struct TileOptions {
  int64_t columns = 0;  // of tiles; 0: as many as make the picture about square
  int64_t zoom = 1;     // pixels of the picture for one of a tile, in each direction
  int64_t gap = 1;      // pixels between tiles and around them, in the middle grey of a filter without contrast
};

// One picture of `count` filters [channels, height, width], 1 or 3 channels, row after row; each filter scaled by
// itself, so that its smallest element is 0 and its largest 255. Also shows single images, or maps. REQUIRES: the
// elements are finite, shape has three extents of at least 1, the options are not negative and zoom is at least 1.
Image TileFilters(const float* filters, int64_t count, const Shape& shape, const TileOptions& options = {});

}  // namespace kwta
