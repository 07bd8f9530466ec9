// ActiveGradient of the reference backend.
#pragma once

#include "core/backends/active_gradient.h"

namespace kwta {

// Implements Backend::ActiveGradient in plain loops and binary64.
void ReferenceActiveGradient(const ActiveGradientArgs& args);

}  // namespace kwta
