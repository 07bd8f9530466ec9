// A trained model on disk: a directory with model.json (v1.ModelDescription in protobuf's JSON form) and
// model.safetensors. docs/model-bundle.md describes the bytes.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/io/arrays/safetensors.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

struct ModelBundle {
  v1::ModelDescription description;
  TensorMap tensors;

  // Makes a deep copy. Bundles are otherwise moved, because their tensors are large.
  ModelBundle Clone() const;
};

// The version of the format that is written, and the only one that is read.
inline constexpr uint32_t kModelBundleFormat = 1;

// Writes `directory` so that a reader sees all of it or none. Writes files to a temporary sibling (its name starts with
// a dot), syncs them, and renames the sibling. Always writes kModelBundleFormat as description.format. Leaves nothing
// behind on an error. Errors: ALREADY_EXISTS if there is anything at `directory`, INVALID_ARGUMENT (the model's or a
// tensor's name), NOT_FOUND (no parent directory), RESOURCE_EXHAUSTED if the disk is full, PERMISSION_DENIED,
// UNAVAILABLE for other failures of the file system.
absl::Status WriteModelBundle(const std::string& directory, const ModelBundle& bundle);

// Reads the description, and the tensors whose names start with `prefix`. Errors: NOT_FOUND (no such directory),
// DATA_LOSS (a file is missing, truncated, corrupt, of an unknown format, or a symbolic link), PERMISSION_DENIED,
// UNAVAILABLE.
absl::StatusOr<ModelBundle> ReadModelBundle(const std::string& directory, absl::string_view prefix = "");

// Reads only the description, model.json. Errors: as ReadModelBundle.
absl::StatusOr<v1::ModelDescription> ReadModelDescription(const std::string& directory);

// Parses a model.json. Errors: DATA_LOSS (not JSON, unknown fields, another format), INVALID_ARGUMENT (the name).
absl::Status ParseModelDescription(const std::string& json, v1::ModelDescription* description);

// Returns the SHA-256 of the numbers of the bundle at `directory`, 32 bytes. Errors: NOT_FOUND, DATA_LOSS (a symbolic
// link), PERMISSION_DENIED, UNAVAILABLE.
absl::StatusOr<std::string> HashOfModelBundle(const std::string& directory);

// Checks the form of a model's name or a job's id: 1 to 128 letters, digits, '-', '_' and '.', starting with a letter
// or digit. Errors: INVALID_ARGUMENT naming `what`.
absl::Status ValidateName(absl::string_view what, absl::string_view name);

}  // namespace kwta
