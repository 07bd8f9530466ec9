// Mirror images, as more rows to learn from.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// The rows of `images` and behind them, in the same order and with the same labels, each with left and right exchanged.
// Holds a copy of all of them. Errors: INVALID_ARGUMENT if a row is neither [height, width] nor
// [channels, height, width].
absl::StatusOr<Dataset> WithMirrorImages(const Dataset& images);

}  // namespace kwta
