// Contrast normalisation of a row by itself. There is nothing to fit.
#pragma once

#include <memory>

#include "core/preprocessing/step.h"

namespace kwta {

// (x - mean(x)) / sqrt(var(x) + constant), or with unit_length / sqrt(|x - mean(x)|^2 + constant). var is the mean of
// the squared deviations.
std::shared_ptr<const Step> MakeGlobalContrastStep(const Shape& input, const v1::GlobalContrastStep& spec);

// See LocalContrastStep in encoder.proto. With windows that do not go across channels, the mean of s is a channel's
// own.
std::shared_ptr<const Step> MakeLocalContrastStep(const Shape& input, const v1::LocalContrastStep& spec);

}  // namespace kwta
