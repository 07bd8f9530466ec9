// Named arrays in a file that any safetensors library reads. docs/model-bundle.md describes the bytes.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Named parameters, in the order of their names.
using TensorMap = std::map<std::string, Tensor>;

struct SafetensorsFile {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;
};

// Writes `path` atomically (see AtomicFileWriter), streaming from the tensors' own memory; data start at a multiple of
// 64 bytes. Errors: INVALID_ARGUMENT (names that are not UTF-8 or reserved), and what the file system gives.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors,
                              const std::map<std::string, std::string>& metadata);

// Errors: DATA_LOSS (truncated, corrupt, or of a dtype that kwta has not), naming file and tensor; and what the file
// system gives (see core/files/files.h). Memory is allocated only for what the file is long enough to hold.
// Of all tensors the header is checked; only those are read whose names start with `prefix`.
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path, absl::string_view prefix = "");

}  // namespace kwta
