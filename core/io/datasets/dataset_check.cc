#include "core/io/datasets/dataset_check.h"

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/cifar_binary.h"
#include "core/io/datasets/data_file.h"
#include "core/io/datasets/dataset_folder.h"
#include "core/io/datasets/idx.h"
#include "core/io/datasets/named_datasets.h"
#include "core/io/datasets/norb.h"

namespace kwta {
namespace {

// The number of rows of a data set; nullopt if only reading all of it would tell.
using RowCount = absl::StatusOr<std::optional<int64_t>>;

// The reader of a file reports damaged contents.
RowCount CountIn(const absl::StatusOr<Shape>& shape) {
  return shape.ok() && !shape->empty() ? std::optional<int64_t>(shape->front()) : std::nullopt;
}

RowCount CountRowsOfPath(const std::string& path, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const DataFile found, FindDataFile(path, options));
  if (!HasDatasetFileEnding(path)) return CountRowsOfFolder(found.root, path, test, options.links);
  if (IsNorbImages(path)) return std::optional<int64_t>();
  if (absl::EndsWith(path, ".bin")) {
    const absl::StatusOr<int64_t> rows = CountCifarRows({found.file});
    return rows.ok() ? std::optional<int64_t>(*rows) : std::nullopt;
  }
  return CountIn(absl::EndsWith(path, ".npy") ? ReadNpyShape(found.file) : ReadIdxShape(found.file, kMaxDatasetBytes));
}

RowCount CountRowsOfNamed(const std::string& name, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const NamedDataset dataset, FindNamedDataset(name));
  KWTA_ASSIGN_OR_RETURN(const DatasetFiles files, LocateNamedDataset(dataset, test, options.directories));
  if (!files.folder.empty()) return CountRowsOfFolder(files.root, files.folder, test, options.links);
  return CountIn(ReadIdxShape(files.images, kMaxDatasetBytes));
}

}  // namespace

absl::Status CheckValidationRows(const v1::DatasetRef& ref, int64_t rows, const std::string& origin) {
  if (ref.split() == v1::DATASET_SPLIT_TEST || ref.validation_rows() < static_cast<uint64_t>(rows)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("validation_rows is ", ref.validation_rows(), ", but '", origin,
                                                 "' has ", rows, " rows; expected at most ", rows - 1));
}

absl::Status CheckDataset(const v1::DatasetRef& ref, const DatasetOptions& options) {
  KWTA_RETURN_IF_ERROR(ValidateDatasetRef(ref));
  const bool test = ref.split() == v1::DATASET_SPLIT_TEST;
  KWTA_ASSIGN_OR_RETURN(const std::optional<int64_t> rows, ref.has_path()
                                                               ? CountRowsOfPath(ref.path(), test, options)
                                                               : CountRowsOfNamed(ref.name(), test, options));
  if (!rows.has_value() || *rows == 0) return absl::OkStatus();  // The reader refuses an empty data set.
  return CheckValidationRows(ref, *rows, ref.has_path() ? ref.path() : ref.name());
}

}  // namespace kwta
