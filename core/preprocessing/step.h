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

// Maps each row by itself: what it makes of a row depends on no other row of a call. Immutable and thread-safe.
class Step {
 public:
  virtual ~Step() = default;
  // out[rows, elements of the output shape] from x[rows, elements of the input shape], which do not overlap.
  virtual void Apply(const float* x, int64_t rows, float* out) const = 0;
  // Adds what was fitted, as "<prefix><name>".
  virtual void Export(const std::string& /*prefix*/, TensorMap* /*tensors*/) const {}
};

// The rows that a step is fitted on, as the steps before it leave them.
struct FittingRows {
  int64_t rows = 0;
  // Calls visit(x, count) with consecutive blocks of all the rows, in order; may be called again. Stops at an error.
  std::function<absl::Status(const std::function<absl::Status(const float*, int64_t)>& visit)> for_each_block;
  // Multiplies matrices.
  Backend* backend = nullptr;
  // What the user should know is added here.
  std::vector<std::string>* warnings = nullptr;
};

// A step on images of shape `input`, fitted on `rows` if it has anything to fit. `name` is for messages.
// REQUIRES: the spec is resolved and its kind acts on rows (not separate_views or random_patches).
absl::StatusOr<std::shared_ptr<const Step>> FitStep(const v1::PreprocessingStep& spec, const std::string& name,
                                                    const Shape& input, const FittingRows& rows);

// The same step from what Export gave. Errors: DATA_LOSS if a tensor is missing or of the wrong shape.
absl::StatusOr<std::shared_ptr<const Step>> LoadStep(const v1::PreprocessingStep& spec, const std::string& prefix,
                                                     const Shape& input, const TensorMap& tensors);

// True if the step costs much more than reading a row, so that it should not be taken again in each epoch.
bool IsCostly(const v1::PreprocessingStep& spec);

}  // namespace kwta
