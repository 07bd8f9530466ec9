// Converts rows from the data set, or from the wire, into the encoder's input.
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

// Turns rows of any input dtype (u8, f16, bf16, f32) into f32 rows for an encoder, each row by itself. It divides bytes
// by u8_divisor (correctly rounded), applies the steps, and subtracts the mean. Immutable and thread-safe once built;
// copies share the fitted parameters. TrainingRows fits it.
class Preprocessor {
 public:
  // Makes a preprocessor without steps; ignores spec.steps. `mean` is [width], or empty to subtract none. REQUIRES:
  // spec is resolved.
  Preprocessor(const v1::PreprocessingSpec& spec, std::vector<float> mean);

  // Loads a preprocessor from a model's description and tensors. `row_width` is the width of its input rows: the
  // description's input_width, or a view's width if views are separated.
  // Errors: DATA_LOSS if the spec is not valid or a tensor is missing or does not fit.
  static absl::StatusOr<Preprocessor> Load(const v1::PreprocessingSpec& spec, int64_t row_width,
                                           const TensorMap& tensors);

  // Returns true if it does more than convert and subtract a mean.
  bool has_steps() const { return !steps_.empty(); }
  // The divisor of bytes.
  float u8_divisor() const { return u8_divisor_; }
  // Shapes [channels, height, width] of a row before and after preprocessing, or of a patch or a view if the spec has
  // those steps. Only Load and TrainingRows set them.
  const Shape& input_shape() const { return input_shape_; }
  const Shape& output_shape() const { return output_shape_; }
  // The fitted mean, in the units of the steps' output; empty if none is subtracted.
  const std::vector<float>& mean() const { return mean_; }

  // Writes the encoder's input to out[rows.rows, elements of output_shape()]. Errors: INVALID_ARGUMENT naming the row
  // if a step overflows. REQUIRES: rows.dtype is u8, f16, bf16 or f32; rows are finite and of input_shape().
  absl::Status Apply(const RowsView& rows, float* out) const;
  // As Apply, but does not subtract the mean. For encoders that fold it into their bias.
  absl::Status ApplySteps(const RowsView& rows, float* out) const;
  // Returns minus what Apply makes of a row of zeros: rows plus this are zero where each element depends on one element
  // that was zero. Empty if nothing was subtracted, or if a step cannot take such a row.
  std::vector<float> OffsetOfZeros() const;
  // Only converts, to out[rows.rows, rows.width].
  void ToFloat(const RowsView& rows, float* out) const;

  // Adds the fitted tensors under the names of the bundle: "mean", and "preprocessing.<i>.<name>" for spec.steps(i).
  void Export(TensorMap* tensors) const;

 private:
  friend class TrainingRows;

  struct NamedStep {
    std::string prefix;  // of its tensors
    std::shared_ptr<const Step> step;
    int64_t output_width;
  };
  // Subtracts the mean from x[rows, width] in place.
  void SubtractMean(int64_t rows, float* x) const;
  void AddStep(int index, std::shared_ptr<const Step> step, const Shape& output);

  float u8_divisor_;
  std::vector<float> mean_;
  Shape input_shape_, output_shape_;
  std::vector<NamedStep> steps_;
};

}  // namespace kwta
