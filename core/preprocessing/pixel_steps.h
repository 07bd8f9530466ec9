// Steps that act on single pixels: grey, crop and scale. These steps fit nothing.
#pragma once

#include <memory>

#include "core/preprocessing/step.h"

namespace kwta {

// Computes 0.299 R + 0.587 G + 0.114 B. REQUIRES: input is [3, height, width].
std::shared_ptr<const Step> MakeGreyStep(const Shape& input);

// Keeps the inner height x width pixels of each channel, floor((extent - inner) / 2) from the top and the left.
// REQUIRES: the input has at least that many.
std::shared_ptr<const Step> MakeCropStep(const Shape& input, int64_t height, int64_t width);

std::shared_ptr<const Step> MakeScaleStep(const Shape& input, float factor);

}  // namespace kwta
