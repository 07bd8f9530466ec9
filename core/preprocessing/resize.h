// Bicubic interpolation: Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981.
#pragma once

#include <memory>

#include "core/preprocessing/step.h"

namespace kwta {

// Keys' kernel with slope `a` at distance 1:
//   |t| < 1: (a + 2)|t|^3 - (a + 3)|t|^2 + 1,  |t| < 2: a(|t|^3 - 5|t|^2 + 8|t| - 4),  else 0.
double CubicKernel(double t, double a);

// Resizes each channel of input to height x width pixels. ResizeStep in encoder.proto defines centres, borders and
// shrinking.
std::shared_ptr<const Step> MakeResizeStep(const Shape& input, int64_t height, int64_t width, float a);

}  // namespace kwta
