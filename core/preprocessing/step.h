// One fitted step of preprocessing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/arrays/safetensors.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/encoder.pb.h"

namespace kwta {

// Maps each row by itself: the result of a row depends on no other row of the call. Immutable and thread-safe.
class Step {
 public:
  virtual ~Step() = default;
  // Computes out[rows, elements of the output shape] from x[rows, elements of the input shape]. They do not overlap.
  virtual void Apply(const float* x, int64_t rows, float* out) const = 0;
  // Adds the fitted tensors as "<prefix><name>".
  virtual void Export(const std::string& /*prefix*/, TensorMap* /*tensors*/) const {}
};

// The rows to fit a step on, after all earlier steps.
struct FittingRows {
  int64_t rows = 0;
  // Calls visit(x, count) with consecutive blocks of all rows, in order. May be called again. Stops at the first error.
  std::function<absl::Status(const std::function<absl::Status(const float*, int64_t)>& visit)> for_each_block;
  // Multiplies matrices.
  Backend* backend = nullptr;
  // The step adds warnings for the user here.
  std::vector<std::string>* warnings = nullptr;
};

// Returns a step on images of shape `input`, fitted on `rows` if it has anything to fit. Messages call it `name`.
// REQUIRES: the spec is resolved and its kind acts on rows (not separate_views or random_patches).
absl::StatusOr<std::shared_ptr<const Step>> FitStep(const v1::PreprocessingStep& spec, const std::string& name,
                                                    const Shape& input, const FittingRows& rows);

// Loads a step from the tensors that Export wrote. Errors: DATA_LOSS if a tensor is missing or of the wrong shape.
absl::StatusOr<std::shared_ptr<const Step>> LoadStep(const v1::PreprocessingStep& spec, const std::string& prefix,
                                                     const Shape& input, const TensorMap& tensors);

// Returns true if the step costs much more than reading a row, so that no epoch should repeat it.
bool IsCostly(const v1::PreprocessingStep& spec);

}  // namespace kwta
