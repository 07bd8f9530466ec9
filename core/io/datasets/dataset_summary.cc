#include "core/io/datasets/dataset_summary.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/cifar_binary.h"
#include "core/io/datasets/data_file.h"
#include "core/io/datasets/dataset_check.h"
#include "core/io/datasets/dataset_folder.h"
#include "core/io/datasets/idx.h"
#include "core/io/datasets/named_datasets.h"
#include "core/io/datasets/norb.h"

namespace kwta {
namespace {

// Of an array whose first dimension counts rows.
absl::StatusOr<DatasetSummary> SummaryOfArray(const std::string& path, const Shape& shape, std::string element_type) {
  KWTA_RETURN_IF_ERROR(CheckShapeOfRows(path, shape));
  DatasetSummary summary;
  summary.element_type = std::move(element_type);
  summary.rows = shape.front();
  summary.row_shape.assign(shape.begin() + 1, shape.end());
  return summary;
}

absl::StatusOr<DatasetSummary> SummariseIdx(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(const IdxHeader header, ReadIdxHeader(path, kMaxDatasetBytes));
  return SummaryOfArray(path, header.shape, DTypeName(header.dtype));
}

absl::StatusOr<DatasetSummary> SummarisePath(const std::string& path, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const DataFile found, FindDataFile(path, options));
  if (!HasDatasetFileEnding(path)) return SummariseFolder(found.root, path, test, options.links);
  if (IsNorbImages(path)) return SummariseNorb(found.file);
  if (absl::EndsWith(path, ".bin")) return SummariseCifarBatches({found.file});
  if (!absl::EndsWith(path, ".npy")) return SummariseIdx(found.file);
  KWTA_ASSIGN_OR_RETURN(NpyForm npy, ReadNpyForm(found.file));
  return SummaryOfArray(found.file, npy.shape, std::move(npy.element_type));
}

absl::StatusOr<DatasetSummary> SummariseNamed(const std::string& name, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const NamedDataset dataset, FindNamedDataset(name));
  KWTA_ASSIGN_OR_RETURN(const DatasetFiles files, LocateNamedDataset(dataset, test, options.directories));
  DatasetSummary summary;
  if (!files.folder.empty()) {
    KWTA_ASSIGN_OR_RETURN(summary, SummariseFolder(files.root, files.folder, test, options.links));
  } else {
    KWTA_ASSIGN_OR_RETURN(summary, SummariseIdx(files.images));
    std::error_code ignored;  // A path that cannot be examined counts as missing.
    if (!std::filesystem::exists(files.labels, ignored)) {
      return absl::NotFoundError(
          absl::StrCat("the labels of data set '", name, "' were not found; expected '", files.labels, "'"));
    }
  }
  summary.labelled = true;
  summary.classes = dataset.classes;
  return summary;
}

}  // namespace

absl::StatusOr<DatasetSummary> SummariseDataset(const v1::DatasetRef& ref, const DatasetOptions& options) {
  KWTA_RETURN_IF_ERROR(ValidateDatasetRef(ref));
  const bool test = ref.split() == v1::DATASET_SPLIT_TEST;
  return ref.has_path() ? SummarisePath(ref.path(), test, options) : SummariseNamed(ref.name(), test, options);
}

}  // namespace kwta
