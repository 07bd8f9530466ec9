// Where the file or folder is that the path of a data set names.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

struct DataFile {
  std::string root;  // the directory of DatasetOptions in which it was found
  std::string file;  // the path, resolved
};

// Errors: NOT_FOUND (saying where it looked), and those of PathWithin.
absl::StatusOr<DataFile> FindDataFile(const std::string& path, const DatasetOptions& options);

}  // namespace kwta
