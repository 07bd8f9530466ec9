// ActiveGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/active_gradient.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::tied {

// As Backend::ActiveGradient. Each unit's rows are added in ascending order by one thread, so that the result is the
// same bits on any number of threads.
absl::Status ActiveGradient(support::Context& context, const ActiveGradientArgs& args);

}  // namespace kwta::onednn::tied
