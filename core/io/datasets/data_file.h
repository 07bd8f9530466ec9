// Finds the file or folder that the path of a data set names.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

struct DataFile {
  std::string root;  // the directory of DatasetOptions that holds it
  std::string file;  // the resolved path
};

// Errors: NOT_FOUND (naming the places it searched), and those of PathWithin.
absl::StatusOr<DataFile> FindDataFile(const std::string& path, const DatasetOptions& options);

}  // namespace kwta
