// Images in folders, one a class.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Names in a folder, sorted, without those that start with a dot. Errors: as core/files/files.h says.
absl::StatusOr<std::vector<std::string>> NamesInFolder(const std::string& path);

// The images of `folder`, relative to `root`, whose entries are `classes`; see ReadDatasetFolder.
absl::StatusOr<StoredRows> ReadImageFolder(const std::string& root, const std::string& folder,
                                           const std::vector<std::string>& classes);

}  // namespace kwta
