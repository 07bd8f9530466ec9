// Reads WebP pictures with libwebp.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/images/png.h"

namespace kwta {

// Decodes to RGB, the only colours that WebP has. Messages call the file `name`. Errors: DATA_LOSS (no WebP file, or a
// damaged one), INVALID_ARGUMENT (transparency, an animation, more than `max_pixels` pixels).
absl::StatusOr<Image> DecodeWebp(absl::string_view file, const std::string& name, int64_t max_pixels);

}  // namespace kwta
