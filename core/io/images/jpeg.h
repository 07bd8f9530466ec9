// Reads JPEG pictures with libjpeg.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/images/png.h"

namespace kwta {

// Decodes to grey, or to RGB if the file has colours. Messages call the file `name`. Errors: DATA_LOSS (no JPEG file,
// or a damaged one, even if part of it could be shown), INVALID_ARGUMENT (four channels, more than `max_pixels`
// pixels).
absl::StatusOr<Image> DecodeJpeg(absl::string_view file, const std::string& name, int64_t max_pixels);

}  // namespace kwta
