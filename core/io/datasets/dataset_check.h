// What can be said of a data set before its rows are read.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// Checks the reference, that the files are there, and that validation_rows leaves rows. The latter is not checked of
// damaged files, nor of small NORB and folders of images, for which reading the first bytes of a file or two does not
// tell it. Errors: INVALID_ARGUMENT, NOT_FOUND and others, as LoadDataset.
absl::Status CheckDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

// That the rows held out of `rows` leave some. Errors: INVALID_ARGUMENT, naming `origin`.
absl::Status CheckValidationRows(const v1::DatasetRef& ref, int64_t rows, const std::string& origin);

}  // namespace kwta
