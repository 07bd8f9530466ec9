// The rows that a learner sees: preprocessed rows of a data set, or their codes from a frozen base model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"

namespace kwta {

// Not thread-safe.
class LearnerRows {
 public:
  virtual ~LearnerRows() = default;

  virtual int64_t rows() const = 0;
  // Shape of a row, such as [1, 28, 28] or [1000].
  virtual const Shape& shape() const = 0;
  // Writes rows `which`, in the form that the learner takes, to out[count, width()].
  virtual absl::Status Gather(const uint32_t* which, int64_t count, float* out) = 0;
  // The mean that was subtracted from all rows, or empty.
  virtual std::vector<float> mean() const { return {}; }
  // What makes rows zero, if it is added to them, where the stored rows are zero; or empty.
  virtual std::vector<float> offset() const { return {}; }
  // Sum over the rows of the squared distance from their mean.
  virtual double squared_deviation() const = 0;
  // How many of these rows come from each input row of the model, as views.
  virtual int64_t views() const { return 1; }
  // Warnings for the user.
  virtual std::vector<std::string> warnings() const { return {}; }
  // Records the input of an encoder of these rows: width, preprocessing and the tensors fitted for it.
  virtual void Describe(ModelBundle* bundle) const = 0;

  int64_t width() const { return ElementCount(shape()); }
};

// Preprocessed rows of a data set. The arguments and errors are those of TrainingRows::Create
// (core/preprocessing/training_rows.h).
absl::StatusOr<std::unique_ptr<LearnerRows>> PreprocessedRows(const v1::PreprocessingSpec& spec, const Dataset& data,
                                                              Backend& backend, const std::string& directory);

struct CodeRowsOptions {
  // Directory of the codes of all rows while they are needed; empty: the system's temporary directory.
  std::string directory;
  // Larger codes are not kept: they are then computed on each read, a batch at a time.
  int64_t max_kept_bytes = int64_t{8} << 30;
};

// Dense codes, of `code_shape`, of the rows of a data set, each with the encoder's own number of activities. Memory
// never holds the whole data set or all of its codes. If the disk is too full, codes are not kept. Errors:
// INVALID_ARGUMENT if the encoder reads rows of another width, and what the file system returns. REQUIRES: the data
// outlive it.
absl::StatusOr<std::unique_ptr<LearnerRows>> CodeRows(const Dataset& data, std::shared_ptr<const Encoder> encoder,
                                                      Shape code_shape, const CodeRowsOptions& options);

}  // namespace kwta
