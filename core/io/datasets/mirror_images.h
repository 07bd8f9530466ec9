// Adds mirror images to a data set, as more rows to learn from.
#pragma once

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// Returns the rows of `images`, followed by their mirror images (left and right exchanged) in the same order with the
// same labels. Copies all of them. Errors: INVALID_ARGUMENT if a row is neither [height, width] nor [channels, height,
// width].
absl::StatusOr<Dataset> WithMirrorImages(const Dataset& images);

}  // namespace kwta
