#include "core/encoders/learner_state.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta {

absl::StatusOr<Tensor> Download(Backend& backend, const Shape& shape, const Buffer& buffer, DType dtype) {
  Tensor tensor(dtype, shape);
  KWTA_RETURN_IF_ERROR(backend.CopyToHost(buffer.as<void>(), tensor.data(), tensor.bytes()));
  return tensor;
}

absl::StatusOr<const Tensor*> FindState(const TensorMap& state, const std::string& name, DType dtype,
                                        const Shape& shape) {
  const auto found = state.find(name);
  if (found == state.end()) return absl::DataLossError(absl::StrCat("the state has no tensor \"", name, "\""));
  const Tensor& tensor = found->second;
  if (tensor.dtype() != dtype || tensor.shape() != shape) {
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" of the state is ", DTypeName(tensor.dtype()),
                                            ShapeString(tensor.shape()), "; expected ", DTypeName(dtype),
                                            ShapeString(shape)));
  }
  return &tensor;
}

absl::Status Upload(Backend& backend, const TensorMap& state, const std::string& name, const Shape& shape,
                    Buffer* buffer, DType dtype) {
  KWTA_ASSIGN_OR_RETURN(const Tensor* tensor, FindState(state, name, dtype, shape));
  return backend.CopyFromHost(tensor->data(), buffer->as<void>(), tensor->bytes());
}

}  // namespace kwta
