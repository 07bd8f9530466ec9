// Pictures of rows, patches and filters, and rows of pictures.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/images/png.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta::server {

// A picture with more pixels is not decoded.
inline constexpr int64_t kMaxPicturePixels = int64_t{1} << 24;

// Returns the shape [channels, height, width] of an input row of the model, before preprocessing. A model whose rows
// are not known to be images has rows of one line.
Shape InputImageOf(const v1::ModelDescription& model);
// The same of a row as the encoder sees it: of one view, if views are separated.
Shape EncoderImageOf(const v1::ModelDescription& model);

// Returns the extents of a picture of elements of shape [channels, height, width]: 1 or 3 channels. Long lines are
// folded into about a square.
Shape ShownShape(const Shape& shape);
// Rearranges elements of `shape` into ShownShape(shape): shows the mean of the channels if they are not 1 or 3, and
// appends the smallest element where a folded line ends.
std::vector<float> Shown(const std::vector<float>& elements, const Shape& shape);
// Draws elements of `shape` so that `low` is black and `high` white.
Image DrawRow(const std::vector<float>& elements, const Shape& shape, float low, float high);

// Decodes a PNG or JPEG file. Errors: INVALID_ARGUMENT (neither of them, damaged, transparent, more than
// kMaxPicturePixels pixels: these are counted before anything is decoded).
absl::StatusOr<Image> DecodePicture(absl::string_view file);

// Returns the picture as a row of bytes of `shape` [channels, height, width]: takes as much of its middle as has the
// same proportions, resizes it (bicubic), and converts colours to grey or the reverse. Channels beyond three are grey.
std::vector<uint8_t> RowOfPicture(const Image& image, const Shape& shape);

}  // namespace kwta::server
