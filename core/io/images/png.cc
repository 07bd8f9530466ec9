#include "core/io/images/png.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta {
namespace {

constexpr uint8_t kMiddleGrey = 128;

// libpng's description of a picture, freed in any case. Its simplified interface reports errors by return values, so
// that nothing jumps over destructors.
class PngImage {
 public:
  PngImage() { image_.version = PNG_IMAGE_VERSION; }
  ~PngImage() { png_image_free(&image_); }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  png_image* operator->() { return &image_; }
  png_image* get() { return &image_; }

 private:
  png_image image_ = {};
};

png_uint_32 Format(int64_t channels) { return channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB; }

}  // namespace

absl::StatusOr<std::string> EncodePng(const Image& image) {
  constexpr int64_t kMaxSide = std::numeric_limits<int32_t>::max();
  const bool fits = (image.channels == 1 || image.channels == 3) && image.height >= 1 && image.width >= 1 &&
                    image.height <= kMaxSide && image.width <= kMaxSide &&
                    image.pixels.size() / image.channels / image.width == static_cast<size_t>(image.height) &&
                    image.pixels.size() % (image.channels * image.width) == 0;
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat("cannot make a PNG picture of ", image.height, " x ", image.width,
                                                   " pixels and ", image.channels, " channels out of ",
                                                   image.pixels.size(), " bytes; expected 1 or 3 channels"));
  }
  PngImage png;
  png->width = static_cast<png_uint_32>(image.width);
  png->height = static_cast<png_uint_32>(image.height);
  png->format = Format(image.channels);
  png_alloc_size_t bytes = 0;
  std::string file;
  // The first call measures.
  if (png_image_write_to_memory(png.get(), nullptr, &bytes, 0, image.pixels.data(), 0, nullptr) != 0) {
    file.resize(bytes);
    if (png_image_write_to_memory(png.get(), file.data(), &bytes, 0, image.pixels.data(), 0, nullptr) != 0) {
      file.resize(bytes);
      return file;
    }
  }
  return absl::InternalError(absl::StrCat("libpng could not write a picture: ", png->message));
}

absl::Status WritePng(const std::string& path, const Image& image) {
  KWTA_ASSIGN_OR_RETURN(const std::string file, EncodePng(image));
  return WriteFileAtomically(path, file);
}

absl::StatusOr<Image> DecodePng(absl::string_view file, const std::string& name, int64_t max_pixels) {
  const auto damaged = [&name](const char* why) {
    return absl::DataLossError(absl::StrCat("'", name, "' is not a PNG file, or a damaged one: ", why));
  };
  PngImage png;
  if (png_image_begin_read_from_memory(png.get(), file.data(), file.size()) == 0) return damaged(png->message);
  if ((png->format & PNG_FORMAT_FLAG_ALPHA) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' has transparency; expected a grey or RGB picture without an alpha channel"));
  }
  if (static_cast<int64_t>(png->width) > max_pixels / static_cast<int64_t>(png->height)) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has ", png->height, " x ", png->width,
                                                   " pixels; at most ", max_pixels, " are accepted"));
  }
  Image image;
  image.channels = (png->format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1;
  image.height = png->height;
  image.width = png->width;
  image.pixels.resize(image.channels * image.height * image.width);
  png->format = Format(image.channels);
  if (png_image_finish_read(png.get(), nullptr, image.pixels.data(), 0, nullptr) == 0) return damaged(png->message);
  // Such as a checksum that fails, or image data that end early: the pixels are not what was stored.
  if (PNG_IMAGE_FAILED(*png.get())) return damaged(png->message);
  return image;
}

Image TileFilters(const float* filters, int64_t count, const Shape& shape, const TileOptions& options) {
  const int64_t channels = shape[0], height = shape[1], width = shape[2];
  const int64_t tile_height = height * options.zoom + options.gap, tile_width = width * options.zoom + options.gap;
  int64_t columns = options.columns;
  if (columns == 0) {
    const double square = std::sqrt(static_cast<double>(count * tile_height) / static_cast<double>(tile_width));
    columns = std::max<int64_t>(1, std::llround(square));
  }
  const int64_t lines = std::max<int64_t>(1, DivideUp(count, columns));
  Image image{channels, lines * tile_height + options.gap, columns * tile_width + options.gap, {}};
  image.pixels.assign(image.channels * image.height * image.width, kMiddleGrey);
  for (int64_t i = 0; i < count; ++i) {
    const float* filter = filters + i * ElementCount(shape);
    const auto [low, high] = std::minmax_element(filter, filter + ElementCount(shape));
    const double range = double{*high} - *low;
    if (range == 0) continue;
    const int64_t top = i / columns * tile_height + options.gap, left = i % columns * tile_width + options.gap;
    for (int64_t y = 0; y < height * options.zoom; ++y) {
      for (int64_t x = 0; x < width * options.zoom; ++x) {
        for (int64_t c = 0; c < channels; ++c) {
          const double element = filter[(c * height + y / options.zoom) * width + x / options.zoom];
          image.pixels[((top + y) * image.width + left + x) * channels + c] =
              static_cast<uint8_t>(std::lround((element - *low) / range * 255));
        }
      }
    }
  }
  return image;
}

}  // namespace kwta
