// Reads uncompressed BMP pictures.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/images/png.h"

namespace kwta {

// Returns the stored numbers: grey if the file has a palette of greys alone, else RGB. Reads palettes of 1, 4 and 8
// bits, and 24 and 32 bits without transparency, lines in either order. Messages call the file `name`. Errors:
// DATA_LOSS (no BMP file, or a damaged one), INVALID_ARGUMENT (compressed, 16 bits, transparency, more than
// `max_pixels` pixels).
absl::StatusOr<Image> DecodeBmp(absl::string_view file, const std::string& name, int64_t max_pixels);

}  // namespace kwta
