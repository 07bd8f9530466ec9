// The binary batches of CIFAR-10: rows of a label byte, 0 .. 9, and 3,072 bytes of a 32 x 32 image, plane by plane.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// The files of a folder that hold its training part, or its test part.
std::vector<std::string> CifarBatchNames(bool test);

// Rows [3, 32, 32] with labels, the files' one after another; u8. Errors: DATA_LOSS (a file whose length is no whole
// number of rows, a label above 9), INVALID_ARGUMENT (an empty file, too many rows); as core/files/files.h says.
// REQUIRES: there is a file.
absl::StatusOr<StoredRows> ReadCifarBatches(const std::vector<std::string>& paths);

// How many they are, by the lengths of the files. Errors: as ReadCifarBatches.
absl::StatusOr<int64_t> CountCifarRows(const std::vector<std::string>& paths);

}  // namespace kwta
