// ActiveGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/active_gradient.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::tied {

// Implements Backend::ActiveGradient. One thread adds each unit's rows in ascending order, so the result has the same
// bits on any number of threads.
absl::Status ActiveGradient(support::Context& context, const ActiveGradientArgs& args);

}  // namespace kwta::onednn::tied
