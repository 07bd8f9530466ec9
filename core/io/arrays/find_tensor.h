// Finds the tensors that a model's description names.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// Returns the elements of the f32 tensor `name`, valid as long as `tensors`. Errors: DATA_LOSS if the tensor is
// missing, has another type or shape, or has an element that is not finite.
absl::StatusOr<const float*> FindFloats(const TensorMap& tensors, const std::string& name, const Shape& shape);

// Returns a copy of them.
absl::StatusOr<std::vector<float>> CopyFloats(const TensorMap& tensors, const std::string& name, const Shape& shape);

// REQUIRES: `shape` has the same number of elements.
Tensor FloatTensor(const std::vector<float>& elements, const Shape& shape);

}  // namespace kwta
