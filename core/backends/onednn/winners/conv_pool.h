// ConvPool of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// Implements Backend::ConvPool. It never stores maps.
absl::Status ConvPool(support::Context& context, const ConvolutionRowKernels& kernels, const ConvPoolArgs& args);

}  // namespace kwta::onednn::winners
