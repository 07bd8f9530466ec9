// The rows of a data set as an encoder sees them in training.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/base/thread_pool.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Separates views, draws patches and fits a Preprocessor on the rows that come of it. Costly steps are taken once, into
// a scratch file; cheap ones whenever a row is read. Not thread-safe. What comes out is a function of the spec and the
// data, whatever the number of threads.
class TrainingRows {
 public:
  // Scratch files are made in `directory` (empty: the system's). Errors: INVALID_ARGUMENT if the rows do not fit the
  // spec, or overflow in it; what the backend and the file system give. REQUIRES: spec is resolved.
  static absl::StatusOr<TrainingRows> Create(const v1::PreprocessingSpec& spec, const Dataset& data, Backend& backend,
                                             const std::string& directory);

  int64_t rows() const { return data_.rows(); }
  int64_t width() const { return ElementCount(preprocessor_.output_shape()); }
  // Rows `which`, preprocessed and less the mean: out[count, width()]. Errors: as Preprocessor::Apply.
  absl::Status Gather(const uint32_t* which, int64_t count, float* out);

  // Fitted; its output_shape() is what the encoder is for.
  const Preprocessor& preprocessor() const { return preprocessor_; }
  // The spec, with `input` filled in.
  const v1::PreprocessingSpec& spec() const { return spec_; }
  // How many of the rows are views of one row that the model will be given.
  int64_t views() const { return views_; }
  // Width of a row that the model will be given: `views` times what the preprocessor reads.
  int64_t model_input_width() const { return views_ * ElementCount(preprocessor_.input_shape()); }
  // Sum over the rows of |x - mean|^2 after the steps.
  double squared_deviation() const { return squared_deviation_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  TrainingRows(const v1::PreprocessingSpec& spec, const Dataset& data)
      : spec_(spec), data_(data), preprocessor_(spec, {}) {}
  absl::Status SeparateViews(const Shape& image);
  absl::Status Fit(const std::vector<Shape>& shapes, Backend& backend, ThreadPool& pool);
  absl::Status Store(ThreadPool& pool, const std::string& directory);

  v1::PreprocessingSpec spec_;
  Dataset data_;
  Preprocessor preprocessor_;
  bool stored_ = false;  // data_ holds what the steps give
  int64_t views_ = 1;
  double squared_deviation_ = 0;
  std::vector<std::string> warnings_;
  std::vector<char> gathered_;  // as data_ stores them
};

}  // namespace kwta
