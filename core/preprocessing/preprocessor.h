// What happens to rows between the data set, or the wire, and the encoder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/preprocessing/preprocessing_spec.h"
#include "core/preprocessing/step.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Turns rows of any input dtype (u8, f16, bf16, f32) into the f32 rows that an encoder reads, each row by itself: bytes
// are divided by u8_divisor (correctly rounded), the steps follow, last the mean is subtracted. Immutable and
// thread-safe once it is built; copies share the fitted parameters. Trained by TrainingRows.
class Preprocessor {
 public:
  // Without steps, whatever spec.steps says. `mean` is [width], or empty if none is subtracted. REQUIRES: spec is
  // resolved.
  Preprocessor(const v1::PreprocessingSpec& spec, std::vector<float> mean);

  // What a model's description and tensors say. `row_width` is the width of the rows to come: the description's
  // input_width, or that of a view if views are separated.
  // Errors: DATA_LOSS if the spec is not valid or a tensor is missing or does not fit.
  static absl::StatusOr<Preprocessor> Load(const v1::PreprocessingSpec& spec, int64_t row_width,
                                           const TensorMap& tensors);

  // True if there is more to do than to convert and to subtract a mean.
  bool has_steps() const { return !steps_.empty(); }
  // What bytes are divided by.
  float u8_divisor() const { return u8_divisor_; }
  // Shapes [channels, height, width] of a row before and after; of a patch or a view if the spec has those steps.
  // Known of preprocessors that Load or TrainingRows made.
  const Shape& input_shape() const { return input_shape_; }
  const Shape& output_shape() const { return output_shape_; }
  // The fitted mean, in units of what the steps give; empty if none is subtracted.
  const std::vector<float>& mean() const { return mean_; }

  // What the encoder reads, out[rows.rows, elements of output_shape()]. Errors: INVALID_ARGUMENT naming the row if a
  // step overflows. REQUIRES: rows.dtype is u8, f16, bf16 or f32; rows are finite and of input_shape().
  absl::Status Apply(const RowsView& rows, float* out) const;
  // The same before the mean is subtracted, for encoders that fold it into their bias.
  absl::Status ApplySteps(const RowsView& rows, float* out) const;
  // Only the conversion, out[rows.rows, rows.width].
  void ToFloat(const RowsView& rows, float* out) const;

  // Adds what was fitted, under the names of the bundle: "mean", and "preprocessing.<i>.<name>" of spec.steps(i).
  void Export(TensorMap* tensors) const;

 private:
  friend class TrainingRows;

  struct NamedStep {
    std::string prefix;  // of its tensors
    std::shared_ptr<const Step> step;
    int64_t output_width;
  };
  // x[rows, width] less the mean, in place.
  void SubtractMean(int64_t rows, float* x) const;
  void AddStep(int index, std::shared_ptr<const Step> step, const Shape& output);

  float u8_divisor_;
  std::vector<float> mean_;
  Shape input_shape_, output_shape_;
  std::vector<NamedStep> steps_;
};

}  // namespace kwta
