#include "core/io/datasets/dataset.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"
#include "core/io/arrays/npy.h"
#include "core/io/datasets/cifar_binary.h"
#include "core/io/datasets/data_file.h"
#include "core/io/datasets/dataset_check.h"
#include "core/io/datasets/dataset_folder.h"
#include "core/io/datasets/idx.h"
#include "core/io/datasets/named_datasets.h"
#include "core/io/datasets/norb.h"
#include "core/io/datasets/stored_rows.h"

namespace kwta {
namespace {

constexpr uint64_t kMaxRows = uint64_t{1} << 31;  // uint32 numbers the rows.
constexpr uint64_t kSplitStream = 0x53504C4954;   // "SPLIT"

absl::StatusOr<StoredRows> AsRows(std::string origin, ArrayView array, std::shared_ptr<const void> storage) {
  const auto refuse = [&origin](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("'", origin, "' ", what));
  };
  if (array.dtype != DType::kF32 && array.dtype != DType::kF16 && array.dtype != DType::kU8) {
    return refuse(absl::StrCat("has elements of type ", DTypeName(array.dtype), "; expected f32, f16 or u8"));
  }
  KWTA_RETURN_IF_ERROR(CheckShapeOfRows(origin, array.shape));
  const int64_t rows = array.shape.front();
  Shape row_shape(array.shape.begin() + 1, array.shape.end());
  if (static_cast<uint64_t>(rows) > kMaxRows) {
    return refuse(absl::StrCat("has ", rows, " rows; at most ", kMaxRows, " are accepted"));
  }
  const RowsView view{array.dtype, array.data, rows, ElementCount(row_shape)};
  if (const auto bad = FindNonFinite(view)) {
    return refuse(absl::StrCat("holds NaN or infinity at row ", bad->row, ", column ", bad->column,
                               "; remove or replace such elements"));
  }
  return StoredRows{std::move(origin), std::move(storage), view, std::move(row_shape), {}, nullptr, {}};
}

absl::StatusOr<StoredRows> LoadIdx(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(Tensor read, ReadIdx(path, kMaxDatasetBytes));
  auto tensor = std::make_shared<const Tensor>(std::move(read));
  return AsRows(path, {tensor->dtype(), tensor->shape(), tensor->data()}, tensor);
}

absl::StatusOr<std::vector<int32_t>> LoadLabels(const std::string& path, int64_t rows, int32_t classes) {
  KWTA_ASSIGN_OR_RETURN(const Tensor tensor, ReadIdx(path, kMaxDatasetBytes));
  if (tensor.dtype() != DType::kU8 || tensor.shape() != Shape{rows}) {
    return absl::DataLossError(absl::StrCat("'", path, "' has ", DTypeName(tensor.dtype()), " ",
                                            ShapeString(tensor.shape()), "; expected a label for each image, u8 [",
                                            rows, "]"));
  }
  const uint8_t* bytes = tensor.as<uint8_t>();
  for (int64_t i = 0; i < rows; ++i) {
    if (bytes[i] >= classes) {
      return absl::DataLossError(
          absl::StrCat("'", path, "' has label ", bytes[i], " at row ", i, "; expected 0 to ", classes - 1));
    }
  }
  return std::vector<int32_t>(bytes, bytes + rows);
}

absl::StatusOr<StoredRows> LoadNamed(const NamedDataset& dataset, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const DatasetFiles files, LocateNamedDataset(dataset, test, options.directories));
  StoredRows stored;
  if (files.folder.empty()) {
    KWTA_ASSIGN_OR_RETURN(stored, LoadIdx(files.images));
  } else {
    KWTA_ASSIGN_OR_RETURN(stored, ReadDatasetFolder(files.root, files.folder, test, options.links));
  }
  const Shape expected(dataset.row_shape.begin(), dataset.row_shape.end());
  if (stored.rows.dtype != DType::kU8 || stored.row_shape != expected) {
    return absl::DataLossError(absl::StrCat("'", stored.origin, "' has rows of ", DTypeName(stored.rows.dtype), " ",
                                            ShapeString(stored.row_shape), "; ", dataset.name, " has u8 ",
                                            ShapeString(expected)));
  }
  if (files.folder.empty()) {
    KWTA_ASSIGN_OR_RETURN(stored.labels, LoadLabels(files.labels, stored.rows.rows, dataset.classes));
  }
  return stored;
}

// How many rows ahead Gather prefetches.
constexpr int64_t kRowsAhead = 4;
constexpr size_t kBytesAhead = 4096;
constexpr size_t kLineBytes = 64;

absl::StatusOr<StoredRows> LoadNpy(const std::string& path) {
  KWTA_ASSIGN_OR_RETURN(NpyFile npy, ReadNpyRows(path));
  absl::StatusOr<StoredRows> stored = AsRows(path, std::move(npy.array), std::move(npy.storage));
  // If the rows changed during the check, report that instead.
  if (npy.mapped != nullptr) KWTA_RETURN_IF_ERROR(npy.mapped->CheckUnchanged());
  KWTA_RETURN_IF_ERROR(stored.status());
  stored->mapped = std::move(npy.mapped);
  if (!npy.note.empty()) stored->notes.push_back(std::move(npy.note));
  return stored;
}

absl::StatusOr<StoredRows> LoadPath(const std::string& path, bool test, const DatasetOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const DataFile found, FindDataFile(path, options));
  if (!HasDatasetFileEnding(path)) return ReadDatasetFolder(found.root, path, test, options.links);
  if (IsNorbImages(path)) {
    return ReadNorb(path, [&](const std::string& name) { return PathWithin(found.root, name, options.links); });
  }
  if (absl::EndsWith(path, ".bin")) return ReadCifarBatches({found.file});
  return absl::EndsWith(path, ".npy") ? LoadNpy(found.file) : LoadIdx(found.file);
}

// Returns the indices of the rows that `ref` selects from `stored`.
absl::StatusOr<std::vector<uint32_t>> ChooseRows(const v1::DatasetRef& ref, const StoredRows& stored) {
  const uint64_t rows = static_cast<uint64_t>(stored.rows.rows);
  const uint64_t held_out = ref.split() == v1::DATASET_SPLIT_TEST ? 0 : ref.validation_rows();
  KWTA_RETURN_IF_ERROR(CheckValidationRows(ref, stored.rows.rows, stored.origin));
  std::vector<uint32_t> order;
  if (held_out == 0) {
    order.resize(rows);
    std::iota(order.begin(), order.end(), 0u);
  } else {
    Rng rng(ref.split_seed(), kSplitStream);
    order = RandomPermutation(rows, rng);
    if (ref.split() == v1::DATASET_SPLIT_VALIDATION) {
      order.resize(held_out);
    } else {
      order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(held_out));
      std::sort(order.begin(), order.end());
    }
  }
  if (ref.max_rows() > 0 && ref.max_rows() < order.size()) order.resize(ref.max_rows());
  return order;
}

// Returns whether the path may name a folder: its name has no ending, or is ".".
bool MayBeFolder(absl::string_view path) {
  const absl::string_view name = path.substr(path.rfind('/') + 1);
  return name == "." || !absl::StrContains(name, '.');
}

}  // namespace

Dataset::Dataset(std::shared_ptr<const void> storage, RowsView all, Shape row_shape, std::vector<uint32_t> order,
                 std::vector<int32_t> labels)
    : storage_(std::move(storage)),
      all_(all),
      row_shape_(std::move(row_shape)),
      order_(std::move(order)),
      labels_(std::move(labels)) {}

void Dataset::Gather(const uint32_t* which, int64_t count, void* out) const {
  const size_t bytes = all_.row_bytes();
  char* to = static_cast<char*>(out);
  for (int64_t i = 0; i < count; ++i) {
    // Rows lie anywhere in memory, so the processor cannot predict what to fetch.
    if (i + kRowsAhead < count) {
      const char* ahead = static_cast<const char*>(all_.row(order_[which[i + kRowsAhead]]));
      for (size_t at = 0; at < std::min(bytes, kBytesAhead); at += kLineBytes) __builtin_prefetch(ahead + at);
    }
    std::memcpy(to + i * bytes, all_.row(order_[which[i]]), bytes);
  }
}

std::vector<int32_t> Dataset::Labels() const {
  std::vector<int32_t> labels;
  labels.reserve(order_.size());
  for (int64_t i = 0; i < rows(); ++i) labels.push_back(label(i));
  return labels;
}

absl::Status Dataset::CheckUnchanged() const {
  return mapped_ == nullptr ? absl::OkStatus() : mapped_->CheckUnchanged();
}

Dataset Dataset::Divided(int64_t parts, Shape part_shape) const {
  std::vector<uint32_t> order;
  order.reserve(order_.size() * parts);
  for (const uint32_t row : order_) {
    for (int64_t part = 0; part < parts; ++part) order.push_back(static_cast<uint32_t>(row * parts + part));
  }
  std::vector<int32_t> labels;
  labels.reserve(labels_.size() * parts);
  for (const int32_t label : labels_) labels.insert(labels.end(), parts, label);
  const RowsView all{all_.dtype, all_.data, all_.rows * parts, all_.width / parts};
  Dataset divided(storage_, all, std::move(part_shape), std::move(order), std::move(labels));
  divided.mapped_ = mapped_;
  divided.notes_ = notes_;
  return divided;
}

absl::StatusOr<Dataset> LoadDataset(const v1::DatasetRef& ref, const DatasetOptions& options) {
  KWTA_RETURN_IF_ERROR(ValidateDatasetRef(ref));
  absl::StatusOr<StoredRows> stored;
  if (ref.has_path()) {
    stored = LoadPath(ref.path(), ref.split() == v1::DATASET_SPLIT_TEST, options);
  } else {
    KWTA_ASSIGN_OR_RETURN(const NamedDataset dataset, FindNamedDataset(ref.name()));
    stored = LoadNamed(dataset, ref.split() == v1::DATASET_SPLIT_TEST, options);
  }
  if (!stored.ok()) return stored.status();
  KWTA_ASSIGN_OR_RETURN(std::vector<uint32_t> order, ChooseRows(ref, *stored));
  Dataset dataset(std::move(stored->storage), stored->rows, std::move(stored->row_shape), std::move(order),
                  std::move(stored->labels));
  dataset.mapped_ = std::move(stored->mapped);
  dataset.notes_ = std::move(stored->notes);
  return dataset;
}

bool HasDatasetFileEnding(absl::string_view path) {
  for (const char* ending : {".npy", ".idx", ".idx.gz", "-ubyte", "-ubyte.gz", ".bin"}) {
    if (absl::EndsWith(path, ending)) return true;
  }
  return IsNorbImages(path);
}

absl::Status ValidateDatasetRef(const v1::DatasetRef& ref) {
  switch (ref.source_case()) {
    case v1::DatasetRef::kName:
      KWTA_RETURN_IF_ERROR(FindNamedDataset(ref.name()).status());
      break;
    case v1::DatasetRef::kPath:
      KWTA_RETURN_IF_ERROR(ValidateRelativePath(ref.path()));
      if (!HasDatasetFileEnding(ref.path()) && !MayBeFolder(ref.path())) {
        return absl::InvalidArgumentError(absl::StrCat("data file '", ref.path(),
                                                       "' is of no known kind; expected a name ending in ",
                                                       kDatasetFileEndings, ", or a folder"));
      }
      if (ref.split() == v1::DATASET_SPLIT_TEST && HasDatasetFileEnding(ref.path())) {
        return absl::InvalidArgumentError(
            "a data file has no test rows; only named data sets and folders of CIFAR-10 or small NORB have "
            "DATASET_SPLIT_TEST");
      }
      break;
    case v1::DatasetRef::SOURCE_NOT_SET:
      return absl::InvalidArgumentError("the data set is not set; expected a name or a path");
  }
  if (!v1::DatasetSplit_IsValid(ref.split())) {
    return absl::InvalidArgumentError(absl::StrCat("split ", ref.split(), " is unknown"));
  }
  if (ref.split() == v1::DATASET_SPLIT_VALIDATION && ref.validation_rows() == 0) {
    return absl::InvalidArgumentError(
        "DATASET_SPLIT_VALIDATION needs validation_rows of at least 1, the same as in training");
  }
  return absl::OkStatus();
}

std::vector<std::string> NamedDatasets() {
  std::vector<std::string> names;
  for (const NamedDataset& dataset : AllNamedDatasets()) names.emplace_back(dataset.name);
  return names;
}

}  // namespace kwta
