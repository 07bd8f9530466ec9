// CIFAR-10's binary batches. A row is a label byte, 0 .. 9, and the 3,072 bytes of a 32 x 32 image, plane by plane.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/io/datasets/dataset_summary.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {

// Returns the names of the files that hold the training part, or the test part.
std::vector<std::string> CifarBatchNames(bool test);

// Reads u8 rows [3, 32, 32] with labels, one file after another. Errors: DATA_LOSS (a file whose length is no whole
// number of rows, a label above 9), INVALID_ARGUMENT (an empty file, too many rows); also see core/files/files.h.
// REQUIRES: `paths` is not empty.
absl::StatusOr<StoredRows> ReadCifarBatches(const std::vector<std::string>& paths);

// Says what it would read, from the lengths of the files. Errors: as ReadCifarBatches.
absl::StatusOr<DatasetSummary> SummariseCifarBatches(const std::vector<std::string>& paths);

}  // namespace kwta
