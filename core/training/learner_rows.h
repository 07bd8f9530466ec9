// The rows that a learner sees: those of a data set, preprocessed, or their codes by a frozen base model.
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
  // Rows `which`, as the learner takes them: out[count, width()].
  virtual absl::Status Gather(const uint32_t* which, int64_t count, float* out) = 0;
  // What was subtracted from all of them, or empty.
  virtual std::vector<float> mean() const { return {}; }
  // Sum over the rows of the squared distance from their mean.
  virtual double squared_deviation() const = 0;
  // How many of the rows are views of one row that the model will be given.
  virtual int64_t views() const { return 1; }
  // What the user should know.
  virtual std::vector<std::string> warnings() const { return {}; }
  // Writes down what an encoder of such rows is given: input width, preprocessing and what was fitted for it.
  virtual void Describe(ModelBundle* bundle) const = 0;

  int64_t width() const { return ElementCount(shape()); }
};

// Rows of a data set, preprocessed. Errors: those of TrainingRows::Create (core/preprocessing/training_rows.h), which
// takes the same arguments.
absl::StatusOr<std::unique_ptr<LearnerRows>> PreprocessedRows(const v1::PreprocessingSpec& spec, const Dataset& data,
                                                              Backend& backend, const std::string& directory);

struct CodeRowsOptions {
  // Where the codes of all rows are kept while they are needed; empty: the system's directory for temporary files.
  std::string directory;
  // More than this is not kept: codes are then computed each time they are read, a batch at a time.
  int64_t max_kept_bytes = int64_t{8} << 30;
};

// Dense codes, of `code_shape`, of the rows of a data set, each with the encoder's own number of activities. Neither
// the data set nor its codes are ever held in memory as a whole. A disk that is too full is as if nothing were to be
// kept. Errors: INVALID_ARGUMENT if the encoder reads rows of another width, and what the file system gives.
// REQUIRES: the data outlive it.
absl::StatusOr<std::unique_ptr<LearnerRows>> CodeRows(const Dataset& data, std::shared_ptr<const Encoder> encoder,
                                                      Shape code_shape, const CodeRowsOptions& options);

}  // namespace kwta
