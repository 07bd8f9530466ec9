// Activities of regularised autoencoders.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/regularised_args.h"

namespace kwta::onednn::regularised {

absl::Status AffineActivation(support::Context& context, const AffineActivationArgs& args);

}  // namespace kwta::onednn::regularised
