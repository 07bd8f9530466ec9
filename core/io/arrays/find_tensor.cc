#include "core/io/arrays/find_tensor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {

absl::StatusOr<const float*> FindFloats(const TensorMap& tensors, const std::string& name, const Shape& shape) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    return absl::DataLossError(
        absl::StrCat("the model has no tensor \"", name, "\"; its description asks for one of ", ShapeString(shape)));
  }
  const Tensor& tensor = found->second;
  if (tensor.dtype() != DType::kF32 || tensor.shape() != shape) {
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" of the model is ", DTypeName(tensor.dtype()),
                                            ShapeString(tensor.shape()), "; its description asks for f32",
                                            ShapeString(shape)));
  }
  if (const auto position = FindNonFinite(tensor.rows())) {
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" of the model has a NaN or infinite element in row ",
                                            position->row, ", column ", position->column));
  }
  return tensor.as<float>();
}

absl::StatusOr<std::vector<float>> CopyFloats(const TensorMap& tensors, const std::string& name, const Shape& shape) {
  KWTA_ASSIGN_OR_RETURN(const float* floats, FindFloats(tensors, name, shape));
  return std::vector<float>(floats, floats + ElementCount(shape));
}

Tensor FloatTensor(const std::vector<float>& elements, const Shape& shape) {
  Tensor tensor(DType::kF32, shape);
  std::copy(elements.begin(), elements.end(), tensor.as<float>());
  return tensor;
}

}  // namespace kwta
