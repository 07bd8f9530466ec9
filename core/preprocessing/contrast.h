// Contrast normalisation of each row by itself. These steps fit nothing.
#pragma once

#include <memory>

#include "core/preprocessing/step.h"

namespace kwta {

// Computes (x - mean(x)) / sqrt(var(x) + constant), or with unit_length / sqrt(|x - mean(x)|^2 + constant). var is the
// mean squared deviation.
std::shared_ptr<const Step> MakeGlobalContrastStep(const Shape& input, const v1::GlobalContrastStep& spec);

// See LocalContrastStep in encoder.proto. If windows do not cross channels, the mean of s is taken for each channel.
std::shared_ptr<const Step> MakeLocalContrastStep(const Shape& input, const v1::LocalContrastStep& spec);

}  // namespace kwta
