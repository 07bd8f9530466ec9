// ConvWinners of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// As Backend::ConvWinners, through a WinnerSearch where it suits. `kernels` compute the rest.
absl::Status ConvWinners(support::Context& context, const ConvolutionRowKernels& kernels, const ConvWinnersArgs& args);

// The same without a search: computes every activity in the fixed order. Maps are not stored for one winner in each
// map; a block of them is otherwise.
absl::Status ExactConvWinners(support::Context& context, const ConvolutionRowKernels& kernels,
                              const ConvWinnersArgs& args);

}  // namespace kwta::onednn::winners
