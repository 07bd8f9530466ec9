#include "core/io/images/jpeg.h"

#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it
#include <cstring>

#include "absl/strings/str_cat.h"

namespace kwta {
namespace {

// libjpeg reports an error through a function that must not return: ours jumps back to the method that called the
// library. Those methods have no objects to destroy.
class Decompressor {
 public:
  Decompressor() {
    info_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = [](j_common_ptr info) { std::longjmp(reinterpret_cast<Errors*>(info->err)->back, 1); };
    errors_.manager.output_message = [](j_common_ptr) {};
  }
  ~Decompressor() { jpeg_destroy_decompress(&info_); }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  const jpeg_decompress_struct& info() const { return info_; }
  // Returns the library's message for the last error, or for the first warning.
  std::string Message() {
    char text[JMSG_LENGTH_MAX] = {};
    (*errors_.manager.format_message)(reinterpret_cast<j_common_ptr>(&info_), text);
    return text;
  }

  // Reads the header of `file`, which must stay alive. Returns false on an error; see Message().
  bool ReadHeader(absl::string_view file) {
    if (setjmp(errors_.back) != 0) return false;
    jpeg_create_decompress(&info_);
    jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    jpeg_read_header(&info_, TRUE);
    info_.out_color_space = info_.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    return errors_.manager.num_warnings == 0;
  }

  // Reads all lines, `bytes` bytes each. For the library a file that ends early is a warning; here it is an error.
  bool ReadLines(uint8_t* out, size_t bytes) {
    if (setjmp(errors_.back) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW line = out + info_.output_scanline * bytes;
      jpeg_read_scanlines(&info_, &line, 1);
    }
    jpeg_finish_decompress(&info_);
    return errors_.manager.num_warnings == 0;
  }

 private:
  struct Errors {
    jpeg_error_mgr manager;  // first, so that the library's pointer to it is also a pointer to this
    std::jmp_buf back;
  };

  jpeg_decompress_struct info_ = {};
  Errors errors_;
};

}  // namespace

absl::StatusOr<Image> DecodeJpeg(absl::string_view file, const std::string& name, int64_t max_pixels) {
  Decompressor decompressor;
  const auto damaged = [&] {
    return absl::DataLossError(
        absl::StrCat("'", name, "' is not a JPEG file, or a damaged one: ", decompressor.Message()));
  };
  if (!decompressor.ReadHeader(file)) return damaged();
  const int channels = decompressor.info().num_components;
  if (channels != 1 && channels != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' has ", channels, " channels; expected a grey or RGB picture"));
  }
  Image image;
  image.channels = channels;
  image.height = decompressor.info().image_height;
  image.width = decompressor.info().image_width;
  if (image.width > max_pixels / image.height) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has ", image.height, " x ", image.width,
                                                   " pixels; at most ", max_pixels, " are accepted"));
  }
  image.pixels.resize(image.channels * image.height * image.width);
  if (!decompressor.ReadLines(image.pixels.data(), image.width * image.channels)) return damaged();
  return image;
}

}  // namespace kwta
