// Rows to train on: named data sets and files.
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
  // Searched in order. A named data set is looked for in DIR/NAME; a path is looked for in DIR. The system's own folder
  // /usr/share/datasets is searched last for named data sets.
  std::vector<std::string> directories;
  // Whether links may lead out of them.
  Links links = Links::kStayBelow;
};

// Some rows of stored data, in a fixed order. Immutable and thread-safe.
class Dataset {
 public:
  // Rows `order` of `storage`, which keeps alive the memory of `all` (a Tensor, or a mapped file). labels is empty or
  // has one entry for each stored row.
  Dataset(std::shared_ptr<const void> storage, RowsView all, Shape row_shape, std::vector<uint32_t> order,
          std::vector<int32_t> labels);

  int64_t rows() const { return static_cast<int64_t>(order_.size()); }
  int64_t width() const { return all_.width; }
  DType dtype() const { return all_.dtype; }
  // Shape of a row, such as [28, 28].
  const Shape& row_shape() const { return row_shape_; }
  bool labelled() const { return !labels_.empty(); }
  // REQUIRES: labelled().
  int32_t label(int64_t i) const { return labels_[order_[i]]; }
  // Of all rows. REQUIRES: labelled().
  std::vector<int32_t> Labels() const;

  // Row i as a view of one row.
  RowsView row(int64_t i) const { return all_.Slice(order_[i], 1); }
  // Copies rows which[0 .. count-1] to out, [count, width] of dtype().
  void Gather(const uint32_t* which, int64_t count, void* out) const;

  // What was left out or converted when the rows were loaded, a sentence each, to be shown to whoever gave the data.
  const std::vector<std::string>& notes() const { return notes_; }

  // Whether all that the rows have shown until now is what was loaded. Rows of a mapped file (.npy) change with it, so
  // that what was made of them is to be given up then: ask after each pass over the rows, and once more before the
  // result is used. Rows that are held in memory never change. One system call at most. Thread-safe. Errors: those of
  // MappedFile::CheckUnchanged.
  absl::Status CheckUnchanged() const;

  // The same elements with each row cut into `parts` rows of `part_shape`, in order, each with the row's label.
  // REQUIRES: the parts have the row's elements in all; 2^32 numbers are enough for them.
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

// Loads the part of a data set that `ref` names. Compressed files are held in memory as stored (a byte a pixel); npy
// files are mapped. The validation rows are the first validation_rows of a permutation that split_seed fixes, in its
// order; the training rows are the others, ascending. Errors: INVALID_ARGUMENT (malformed reference, path outside the
// directories, split that the source has not, validation rows that leave nothing, no rows, element type that cannot be
// trained on, non-finite element), NOT_FOUND (saying where it looked), DATA_LOSS (truncated or corrupt file, files that
// do not fit together), FAILED_PRECONDITION (a file was changed while it was read), PERMISSION_DENIED, UNAVAILABLE.
absl::StatusOr<Dataset> LoadDataset(const v1::DatasetRef& ref, const DatasetOptions& options);

// Checks what can be checked without opening a file. Errors: INVALID_ARGUMENT, NOT_FOUND (unknown name).
absl::Status ValidateDatasetRef(const v1::DatasetRef& ref);

// What the path of a data file may end in, for messages; and whether a path does. Published idx files end in -ubyte and
// -ubyte.gz, batches of CIFAR-10 in .bin, small NORB's images in -dat.mat and -dat.mat.gz.
inline constexpr char kDatasetFileEndings[] = ".npy, .idx, .idx.gz, -ubyte, -ubyte.gz, .bin, -dat.mat or -dat.mat.gz";
bool HasDatasetFileEnding(absl::string_view path);

// Names of the named data sets.
std::vector<std::string> NamedDatasets();

}  // namespace kwta
