// ConvWinners of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/convolution_rows.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// Implements Backend::ConvWinners, by a WinnerSearch where it suits. `kernels` compute the rest.
absl::Status ConvWinners(support::Context& context, const ConvolutionRowKernels& kernels, const ConvWinnersArgs& args);

// Implements it without a search: computes every activity in the fixed order. It stores no maps for one winner in each
// map, and otherwise one block of them.
absl::Status ExactConvWinners(support::Context& context, const ConvolutionRowKernels& kernels,
                              const ConvWinnersArgs& args);

}  // namespace kwta::onednn::winners
