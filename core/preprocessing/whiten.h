// Fitted ZCA whitening: y = V (D + epsilon)^-1/2 V' (x - mean), where V D V' is the covariance of the rows. Coates, Ng
// & Lee, 2011, section 3.1.1.
#pragma once

#include <memory>
#include <string>

#include "core/preprocessing/step.h"

namespace kwta {

// Exports "mean", [width], and the symmetric "matrix", [width, width]. Takes about width^3 operations (about a minute
// for 3,072 dimensions) and 24 width^2 bytes. The result does not depend on the number of threads. Warns unless there
// are more rows than dimensions. Errors: INVALID_ARGUMENT if the rows' covariance overflows.
absl::StatusOr<std::shared_ptr<const Step>> FitWhitenStep(const std::string& name, const Shape& input, float epsilon,
                                                          const FittingRows& rows);
// Errors: DATA_LOSS.
absl::StatusOr<std::shared_ptr<const Step>> LoadWhitenStep(const Shape& input, const std::string& prefix,
                                                           const TensorMap& tensors);

}  // namespace kwta
