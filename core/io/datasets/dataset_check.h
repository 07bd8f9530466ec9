// Checks a data set before reading its rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/io/datasets/dataset.h"

namespace kwta {

// Checks the reference, what the beginnings of the files show (SummariseDataset), and that validation_rows leaves rows.
// Damaged contents are no error here: the reader reports them. Returns how many rows `ref` chooses; nullopt if only the
// reader can tell. Errors: as LoadDataset.
absl::StatusOr<std::optional<int64_t>> CheckDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

// Checks that an array of this shape holds rows: [rows, ...], no extent zero. Errors: INVALID_ARGUMENT, naming
// `origin`.
absl::Status CheckShapeOfRows(const std::string& origin, const Shape& shape);

// Checks that the held-out rows leave some of `rows`. Errors: INVALID_ARGUMENT, naming `origin`.
absl::Status CheckValidationRows(const v1::DatasetRef& ref, int64_t rows, const std::string& origin);

}  // namespace kwta
