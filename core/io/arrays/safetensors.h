// Files of named arrays that any safetensors library reads. docs/model-bundle.md describes the bytes.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Parameters by name, in the order of the names.
using TensorMap = std::map<std::string, Tensor>;

struct SafetensorsFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

// Writes `path` atomically (see AtomicFileWriter), straight from the tensors' memory. Data start at a multiple of 64
// bytes. Errors: INVALID_ARGUMENT (names that are not UTF-8 or reserved), and file-system errors.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata);

// Checks the header of all tensors, and reads those whose names start with `prefix`. Allocates memory only for what the
// file is long enough to hold. Errors: DATA_LOSS (truncated, corrupt, or of a dtype that kwta lacks), naming file and
// tensor; and file-system errors (see core/files/files.h).
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path, absl::string_view prefix = "");

}  // namespace kwta
