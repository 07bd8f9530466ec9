#include "core/io/images/png.h"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstring>
#include <limits>
#include <new>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/gzip.h"

namespace kwta {
namespace {

constexpr uint8_t kMiddleGrey = 128;

// Holds libpng's description of a picture to write, and always frees it. The simplified interface reports errors by
// return values, so nothing jumps over destructors.
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

// Reads a PNG file at its stored depth and in its stored colours. Ignores gamma, colour spaces and text, so that
// nothing changes a pixel. libpng reports an error through a function that must not return: ours jumps back to the
// method that called the library. Those methods have no objects to destroy.
class PngReader {
 public:
  struct Header {
    int64_t height = 0, width = 0;
    int64_t channels = 1;       // grey, or palettes and RGB as RGB
    uint64_t stored_bytes = 0;  // of all lines, uncompressed
    int depth = 8;              // 8, also for fewer bits, or 16
    bool transparent = false;   // the other fields ignore transparency
  };

  explicit PngReader(absl::string_view file) : rest_(file) {
    png_ =
        png_create_read_struct(PNG_LIBPNG_VER_STRING, this, &PngReader::OnError, [](png_structp, png_const_charp) {});
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) throw std::bad_alloc();
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // The message of the last error.
  const char* message() const { return message_; }

  // Allocates nothing that grows with the picture. Returns false on an error; see message().
  bool ReadHeader(Header* header) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, &PngReader::OnRead);
    png_set_user_limits(png_, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // the caller has its own limit
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    const int type = png_get_color_type(png_, info_);
    header->height = png_get_image_height(png_, info_);
    header->width = png_get_image_width(png_, info_);
    header->channels = (type & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
    header->depth = png_get_bit_depth(png_, info_) == 16 ? 16 : 8;
    header->transparent = (type & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    header->stored_bytes = uint64_t{png_get_rowbytes(png_, info_)} * png_get_image_height(png_, info_);
    return true;
  }

  // Reads all lines, 1 or 2 bytes per channel, most significant first, and the end of the file. REQUIRES: ReadHeader
  // has read a header without transparency.
  bool ReadLines(uint8_t** lines) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    const int type = png_get_color_type(png_, info_);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png_);
    if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png_);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    png_read_image(png_, lines);
    png_read_end(png_, nullptr);
    return true;
  }

 private:
  [[noreturn]] static void OnError(png_structp png, png_const_charp message) {
    auto* const reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_, message, sizeof(reader->message_) - 1);
    png_longjmp(png, 1);
  }
  static void OnRead(png_structp png, png_bytep out, size_t bytes) {
    auto* const reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (bytes > reader->rest_.size()) png_error(png, "it is cut short");
    std::memcpy(out, reader->rest_.data(), bytes);
    reader->rest_.remove_prefix(bytes);
  }

  absl::string_view rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  char message_[128] = {};
};

// Converts 16 bits per channel to 8: v * 257 becomes v. Returns false if a channel is no such multiple.
bool HalveDepth(std::vector<uint8_t>* pixels) {
  std::vector<uint8_t>& bytes = *pixels;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    if (bytes[i] != bytes[i + 1]) return false;
    bytes[i / 2] = bytes[i];
  }
  bytes.resize(bytes.size() / 2);
  return true;
}

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
  // The first call only measures.
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
  PngReader reader(file);
  const auto damaged = [&] {
    return absl::DataLossError(absl::StrCat("'", name, "' is not a PNG file, or a damaged one: ", reader.message()));
  };
  const auto refuse = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has ", what));
  };
  PngReader::Header header;
  if (!reader.ReadHeader(&header)) return damaged();
  if (header.transparent) {
    return refuse("transparency; expected a grey or RGB picture without an alpha channel");
  }
  if (header.width > max_pixels / header.height) {
    return refuse(absl::StrCat(header.height, " x ", header.width, " pixels; at most ", max_pixels, " are accepted"));
  }
  if (header.stored_bytes > GzipReader::MaxInflatedBytes(file.size())) {
    return absl::DataLossError(absl::StrCat("'", name, "' is cut short: its ", header.height, " x ", header.width,
                                            " pixels are more than a file of this length can hold"));
  }
  Image image{header.channels, header.height, header.width, {}};
  image.pixels.resize(header.channels * header.height * header.width * (header.depth == 16 ? 2 : 1));
  std::vector<uint8_t*> lines(header.height);
  const size_t line_bytes = image.pixels.size() / lines.size();
  for (size_t y = 0; y < lines.size(); ++y) lines[y] = image.pixels.data() + y * line_bytes;
  if (!reader.ReadLines(lines.data())) return damaged();
  if (header.depth == 16 && !HalveDepth(&image.pixels)) {
    return refuse("16 bits a channel, of which a row's bytes hold 8; save it with 8, or the numbers as .npy");
  }
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
