// A trained model on disk: a directory with model.json (v1.ModelDescription in protobuf's JSON form) and
// model.safetensors. docs/model-bundle.md describes the bytes.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Named parameters, in the order of their names.
using TensorMap = std::map<std::string, Tensor>;

struct ModelBundle {
  v1::ModelDescription description;
  TensorMap tensors;
};

// Writes `directory` so that a reader sees all of it or none: files go to a temporary sibling, are synced, and the sibling
// is renamed. Errors: ALREADY_EXISTS if `directory` exists, RESOURCE_EXHAUSTED if the disk is full, PERMISSION_DENIED,
// UNAVAILABLE for other failures of the file system; nothing is left behind.
absl::Status WriteModelBundle(const std::string& directory, const ModelBundle& bundle);

// Errors: NOT_FOUND, DATA_LOSS (truncated, corrupt, of an unknown format).
absl::StatusOr<ModelBundle> ReadModelBundle(const std::string& directory);

// Form of a model's name and of a job's id: 1 to 128 letters, digits, '-', '_' and '.', starting with a letter or digit.
// Errors: INVALID_ARGUMENT naming `what`.
absl::Status ValidateName(absl::string_view what, absl::string_view name);

}  // namespace kwta
