// What happens to rows between the data set, or the wire, and the encoder.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Fills in the defaults of `spec` and checks its ranges. Errors: INVALID_ARGUMENT naming the field.
absl::Status ResolvePreprocessing(v1::PreprocessingSpec* spec);

// Converts rows of any input dtype (u8, f16, bf16, f32) to f32: bytes are divided by u8_divisor (correctly rounded),
// floats are taken as they are. The mean is not subtracted here; encoders fold it into their bias (see mean()).
// Immutable and thread-safe.
class Preprocessor {
 public:
  // `mean` is [width], or empty if none is subtracted. REQUIRES: spec is resolved.
  Preprocessor(const v1::PreprocessingSpec& spec, std::vector<float> mean);

  // out is [rows.rows, rows.width]. REQUIRES: rows.dtype is u8, f16, bf16 or f32.
  void ToFloat(const RowsView& rows, float* out) const;

  // The fitted mean in units of the converted input; empty if none is subtracted.
  const std::vector<float>& mean() const { return mean_; }

 private:
  std::vector<float> byte_values_;  // [256]
  std::vector<float> mean_;
};

}  // namespace kwta
