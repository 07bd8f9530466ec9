// WinnerGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/winner_kernels.h"
#include "core/backends/winner_args.h"

namespace kwta {

// As Backend::WinnerGradient. Each map's winners are added in the order of rows and entries, in binary32, by one
// thread.
absl::Status OnednnWinnerGradient(OnednnContext& context, const WinnerKernels& kernels, const WinnerGradientArgs& args);

}  // namespace kwta
