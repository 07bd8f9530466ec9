// Rows to train on, from named data sets and from files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/files/files.h"
#include "core/files/mapped_file.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

struct DatasetOptions {
  // Searched in order: DIR/NAME for a named data set, DIR for a path. Named data sets are searched last in the system's
  // folder /usr/share/datasets.
  std::vector<std::string> directories;
  // Whether links may lead out of the directories.
  Links links = Links::kStayBelow;
};

// Some rows of stored data, in a fixed order. Immutable and thread-safe.
class Dataset {
 public:
  // Takes rows `order` of `all`. `storage` (a Tensor, or a mapped file) keeps their memory alive. `labels` is empty or
  // has one entry for each stored row.
  Dataset(std::shared_ptr<const void> storage, RowsView all, Shape row_shape, std::vector<uint32_t> order,
          std::vector<int32_t> labels);

  int64_t rows() const { return static_cast<int64_t>(order_.size()); }
  int64_t width() const { return all_.width; }
  DType dtype() const { return all_.dtype; }
  // The shape of a row, such as [28, 28].
  const Shape& row_shape() const { return row_shape_; }
  bool labelled() const { return !labels_.empty(); }
  // REQUIRES: labelled().
  int32_t label(int64_t i) const { return labels_[order_[i]]; }
  // Returns the labels of all rows. REQUIRES: labelled().
  std::vector<int32_t> Labels() const;

  // Returns a view of row i.
  RowsView row(int64_t i) const { return all_.Slice(order_[i], 1); }
  // Copies rows which[0 .. count-1] to out, [count, width] of dtype().
  void Gather(const uint32_t* which, int64_t count, void* out) const;

  // What loading left out or converted, one sentence each, to show whoever supplied the data.
  const std::vector<std::string>& notes() const { return notes_; }

  // Checks that the rows have not changed since they were loaded. Rows of a mapped file (.npy) change with it; discard
  // results made from changed rows. Call this after each pass over the rows, and once more before using the result.
  // Rows in memory never change. Takes one system call at most. Thread-safe. Errors: those of
  // MappedFile::CheckUnchanged.
  absl::Status CheckUnchanged() const;

  // Cuts each row into `parts` rows of `part_shape`, in order, each with the row's label. REQUIRES: the parts together
  // have the row's elements, and 32-bit numbers suffice for them.
  Dataset Divided(int64_t parts, Shape part_shape) const;

 private:
  friend absl::StatusOr<Dataset> LoadDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

  std::shared_ptr<const void> storage_;
  RowsView all_;
  Shape row_shape_;
  std::vector<uint32_t> order_;
  std::vector<int32_t> labels_;
  std::shared_ptr<const MappedFile> mapped_;
  std::vector<std::string> notes_;
};

// Loads the part of a data set that `ref` names. Keeps the contents of compressed files in memory as stored (a byte per
// pixel), and maps npy files. split_seed fixes a permutation: its first validation_rows rows, in its order, are the
// validation rows, and the others, ascending, are the training rows. Errors: INVALID_ARGUMENT (malformed reference,
// path outside the directories, split that the source lacks, validation rows that leave nothing, no rows, element type
// that cannot be trained on, non-finite element), NOT_FOUND (naming the places it searched), DATA_LOSS (truncated or
// corrupt file, files that do not match), FAILED_PRECONDITION (a file changed during reading), PERMISSION_DENIED,
// UNAVAILABLE.
absl::StatusOr<Dataset> LoadDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

// Checks everything that needs no open file. Errors: INVALID_ARGUMENT, NOT_FOUND (unknown name).
absl::Status ValidateDatasetRef(const v1::DatasetRef& ref);

// The endings of data files, for messages, and whether a path has one. Published idx files end in -ubyte and -ubyte.gz,
// batches of CIFAR-10 in .bin, small NORB's images in -dat.mat and -dat.mat.gz.
inline constexpr char kDatasetFileEndings[] = ".npy, .idx, .idx.gz, -ubyte, -ubyte.gz, .bin, -dat.mat or -dat.mat.gz";
bool HasDatasetFileEnding(absl::string_view path);

// Returns the names of the named data sets.
std::vector<std::string> NamedDatasets();

}  // namespace kwta
