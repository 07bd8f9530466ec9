// Gradients of regularised autoencoders.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/regularised_args.h"

namespace kwta::onednn::regularised {

absl::Status RegularisedPass(support::Context& context, const RegularisedPassArgs& args);

}  // namespace kwta::onednn::regularised
