#include "core/io/datasets/dataset_check.h"

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/datasets/dataset_summary.h"

namespace kwta {

absl::Status CheckShapeOfRows(const std::string& origin, const Shape& shape) {
  const auto refuse = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", origin, "' has shape ", ShapeString(shape), "; ", what));
  };
  if (shape.size() < 2) return refuse("expected rows of at least one dimension, [rows, ...]");
  // Checks every extent by itself: if one is zero, the product of the others need not fit.
  for (const int64_t extent : shape) {
    if (extent == 0) return refuse("it holds no rows to use");
  }
  return absl::OkStatus();
}

absl::Status CheckValidationRows(const v1::DatasetRef& ref, int64_t rows, const std::string& origin) {
  if (ref.split() == v1::DATASET_SPLIT_TEST || ref.validation_rows() < static_cast<uint64_t>(rows)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("validation_rows is ", ref.validation_rows(), ", but '", origin,
                                                 "' has ", rows, " rows; expected at most ", rows - 1));
}

absl::StatusOr<std::optional<int64_t>> CheckDataset(const v1::DatasetRef& ref, const DatasetOptions& options) {
  const absl::StatusOr<DatasetSummary> summary = SummariseDataset(ref, options);
  if (absl::IsDataLoss(summary.status())) return std::nullopt;  // the reader reports damaged contents
  if (!summary.ok()) return summary.status();
  int64_t rows = summary->rows;
  if (rows == 0) return std::nullopt;  // and refuses an empty data set
  KWTA_RETURN_IF_ERROR(CheckValidationRows(ref, rows, ref.has_path() ? ref.path() : ref.name()));
  const auto held_out = static_cast<int64_t>(ref.validation_rows());
  if (ref.split() == v1::DATASET_SPLIT_VALIDATION) {
    rows = held_out;
  } else if (ref.split() != v1::DATASET_SPLIT_TEST) {
    rows -= held_out;
  }
  if (ref.max_rows() > 0 && ref.max_rows() < static_cast<uint64_t>(rows)) rows = static_cast<int64_t>(ref.max_rows());
  return rows;
}

}  // namespace kwta
