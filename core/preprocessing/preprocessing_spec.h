// Defaults and ranges of preprocessing, and the shapes of rows between its steps.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Fills in the defaults of `spec` and checks its ranges and the order of its steps. If spec.input is set, also checks
// that the steps fit each other. Errors: INVALID_ARGUMENT naming the field.
absl::Status ResolvePreprocessing(v1::PreprocessingSpec* spec);

// Returns `row_shape` as an image [channels, height, width]. Three extents stay as they are, [height, width] has one
// channel, and any other shape is one line of one channel.
Shape AsImage(const Shape& row_shape);

// Returns shapes [channels, height, width]: entry i is the input of step i, the last entry is the input of the encoder.
// `image` is a row of the data set. Errors: INVALID_ARGUMENT naming the step that does not accept its shape. REQUIRES:
// spec is resolved; `image` has three extents.
absl::StatusOr<std::vector<Shape>> PreprocessedShapes(const v1::PreprocessingSpec& spec, const Shape& image);

// Returns the image shape of rows of `row_shape`: spec.input if it is set. Errors: INVALID_ARGUMENT if its product is
// not the rows' width.
absl::StatusOr<Shape> InputImage(const v1::PreprocessingSpec& spec, const Shape& row_shape);

// Returns how many leading steps act on the data set (separate_views, random_patches), not on a row: 0 .. 2.
int DatasetSteps(const v1::PreprocessingSpec& spec);

// Returns the step separate_views or random_patches, or null.
const v1::RandomPatchesStep* FindRandomPatches(const v1::PreprocessingSpec& spec);
bool SeparatesViews(const v1::PreprocessingSpec& spec);

}  // namespace kwta
