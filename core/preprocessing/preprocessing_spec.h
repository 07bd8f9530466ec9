// Defaults and ranges of preprocessing, and how the shapes of rows flow through its steps.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Fills in the defaults of `spec` and checks its ranges, the order of its steps and, if spec.input is set, that they
// fit each other. Errors: INVALID_ARGUMENT naming the field.
absl::Status ResolvePreprocessing(v1::PreprocessingSpec* spec);

// A row of `row_shape` as an image [channels, height, width]: three extents as they are, [height, width] has one
// channel, anything else is one line of one channel.
Shape AsImage(const Shape& row_shape);

// Shapes [channels, height, width]: entry i is what step i sees, the last entry is what the encoder sees. `image` is a
// row of the data set. Errors: INVALID_ARGUMENT naming the step, if it cannot be taken on that shape.
// REQUIRES: spec is resolved; `image` has three extents.
absl::StatusOr<std::vector<Shape>> PreprocessedShapes(const v1::PreprocessingSpec& spec, const Shape& image);

// The image shape of rows of `row_shape` under `spec`: spec.input if that is set. Errors: INVALID_ARGUMENT if its
// product is not the rows' width.
absl::StatusOr<Shape> InputImage(const v1::PreprocessingSpec& spec, const Shape& row_shape);

// How many of the first steps act on the data set rather than on a row (separate_views, random_patches): 0 .. 2.
int DatasetSteps(const v1::PreprocessingSpec& spec);

// The step separate_views or random_patches, or null.
const v1::RandomPatchesStep* FindRandomPatches(const v1::PreprocessingSpec& spec);
bool SeparatesViews(const v1::PreprocessingSpec& spec);

}  // namespace kwta
