// Checks a data set before reading its rows.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// Checks the reference, that the files exist, and that validation_rows leaves rows. Skips the last check for damaged
// files, small NORB and folders of images, where the first bytes of a file or two do not tell the number of rows.
// Errors: INVALID_ARGUMENT, NOT_FOUND and others, as LoadDataset.
absl::Status CheckDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

// Checks that the held-out rows leave some of `rows`. Errors: INVALID_ARGUMENT, naming `origin`.
absl::Status CheckValidationRows(const v1::DatasetRef& ref, int64_t rows, const std::string& origin);

}  // namespace kwta
