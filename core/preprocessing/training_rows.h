// The rows of a data set as an encoder sees them during training.
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

// Separates views, draws patches and fits a Preprocessor on the resulting rows. It applies costly steps once, into a
// scratch file, and cheap steps whenever it reads a row. Not thread-safe. The rows are a function of the spec and the
// data and do not depend on the number of threads.
class TrainingRows {
 public:
  // Makes scratch files in `directory` (empty: the system's). Errors: INVALID_ARGUMENT if the rows do not fit the spec
  // or overflow in it; backend and file-system errors. REQUIRES: spec is resolved.
  static absl::StatusOr<TrainingRows> Create(const v1::PreprocessingSpec& spec, const Dataset& data, Backend& backend,
                                             const std::string& directory);

  int64_t rows() const { return data_.rows(); }
  int64_t width() const { return ElementCount(preprocessor_.output_shape()); }
  // Writes rows `which`, preprocessed and with the mean subtracted, to out[count, width()]. Errors: as
  // Preprocessor::Apply.
  absl::Status Gather(const uint32_t* which, int64_t count, float* out);

  // The fitted preprocessor. Its output_shape() is the encoder's input.
  const Preprocessor& preprocessor() const { return preprocessor_; }
  // The spec with `input` filled in.
  const v1::PreprocessingSpec& spec() const { return spec_; }
  // How many rows are views of one input row of the model.
  int64_t views() const { return views_; }
  // Width of the model's input rows: `views` times the preprocessor's input width.
  int64_t model_input_width() const { return views_ * ElementCount(preprocessor_.input_shape()); }
  // Returns the sum over the rows of |x - mean|^2 after the steps.
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
  bool stored_ = false;  // data_ holds the output of the steps
  int64_t views_ = 1;
  double squared_deviation_ = 0;
  std::vector<std::string> warnings_;
  std::vector<char> gathered_;  // in the element type of data_
};

}  // namespace kwta
