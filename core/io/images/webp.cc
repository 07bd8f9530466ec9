#include "core/io/images/webp.h"

#include <webp/decode.h>

#include "absl/strings/str_cat.h"

namespace kwta {

absl::StatusOr<Image> DecodeWebp(absl::string_view file, const std::string& name, int64_t max_pixels) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(file.data());
  const absl::Status damaged =
      absl::DataLossError(absl::StrCat("'", name, "' is not a WebP file, or a damaged or cut one"));
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(bytes, file.size(), &features) != VP8_STATUS_OK) return damaged;
  if (features.has_animation != 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is an animation; expected one picture"));
  }
  if (features.has_alpha != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", name, "' has transparency; expected an RGB picture without an alpha channel"));
  }
  Image image{3, features.height, features.width, {}};
  if (image.height < 1 || image.width < 1) return damaged;
  if (image.width > max_pixels / image.height) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' has ", image.height, " x ", image.width,
                                                   " pixels; at most ", max_pixels, " are accepted"));
  }
  image.pixels.resize(image.channels * image.height * image.width);
  const int line_bytes = features.width * 3;
  if (WebPDecodeRGBInto(bytes, file.size(), image.pixels.data(), image.pixels.size(), line_bytes) == nullptr) {
    return damaged;
  }
  return image;
}

}  // namespace kwta
