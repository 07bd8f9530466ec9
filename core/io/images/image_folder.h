// Images in folders, one folder per class.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/files/files.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Reads the images of `folder`, relative to `root`; see ReadDatasetFolder.
absl::StatusOr<StoredRows> ReadImageFolder(const std::string& root, const std::string& folder, Links links);

}  // namespace kwta
