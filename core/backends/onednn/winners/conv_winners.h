// ConvWinners of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta {

// As Backend::ConvWinners, through the filter of bytes where it suits. `kernels` compute the rest.
absl::Status OnednnConvWinners(OnednnContext& context, const ConvolutionRowKernels& kernels,
                               const ConvWinnersArgs& args);

// The same without the filter, every activity in the fixed order. Maps are not stored for one winner in each map; a
// block of them is otherwise.
absl::Status ExactConvWinners(OnednnContext& context, const ConvolutionRowKernels& kernels,
                              const ConvWinnersArgs& args);

}  // namespace kwta
