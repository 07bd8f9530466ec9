// Steps that look at pixels one by one: grey, crop and scale. There is nothing to fit.
#pragma once

#include <memory>

#include "core/preprocessing/step.h"

namespace kwta {

// 0.299 R + 0.587 G + 0.114 B. REQUIRES: input is [3, height, width].
std::shared_ptr<const Step> MakeGreyStep(const Shape& input);

// The inner height x width pixels of each channel, floor((extent - inner) / 2) from the top and the left.
// REQUIRES: they are no more than the input's.
std::shared_ptr<const Step> MakeCropStep(const Shape& input, int64_t height, int64_t width);

std::shared_ptr<const Step> MakeScaleStep(const Shape& input, float factor);

}  // namespace kwta
