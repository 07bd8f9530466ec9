// Tensors of a model that its description asks for.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// The elements of the f32 tensor `name`, valid as long as `tensors`. Errors: DATA_LOSS if there is none, if it is of
// another type or shape, or if an element is not finite.
absl::StatusOr<const float*> FindFloats(const TensorMap& tensors, const std::string& name, const Shape& shape);

// A copy of them.
absl::StatusOr<std::vector<float>> CopyFloats(const TensorMap& tensors, const std::string& name, const Shape& shape);

// REQUIRES: `shape` has as many elements.
Tensor FloatTensor(const std::vector<float>& elements, const Shape& shape);

}  // namespace kwta
