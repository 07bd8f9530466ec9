// Standardises each dimension by its fitted mean and standard deviation.
#pragma once

#include <memory>
#include <string>

#include "core/preprocessing/step.h"

namespace kwta {

// Computes (x - mean) / (sd + constant). Exports "mean" and "sd", [width].
absl::StatusOr<std::shared_ptr<const Step>> FitStandardiseStep(const Shape& input, float constant,
                                                               const FittingRows& rows);
// Errors: DATA_LOSS.
absl::StatusOr<std::shared_ptr<const Step>> LoadStandardiseStep(const Shape& input, float constant,
                                                                const std::string& prefix, const TensorMap& tensors);

}  // namespace kwta
