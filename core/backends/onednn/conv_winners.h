// ConvWinners of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/context.h"
#include "core/backends/onednn/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta {

// As Backend::ConvWinners. Maps are never stored for one winner in each map; a block of them is otherwise.
absl::Status OnednnConvWinners(OnednnContext& context, const ConvolutionRowKernels& kernels,
                               const ConvWinnersArgs& args);

}  // namespace kwta
