// WinnerDecode of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/winner_kernels.h"
#include "core/backends/winner_args.h"

namespace kwta {

// As Backend::WinnerDecode. Each image's winners are added in their order, in binary32, by one thread.
absl::Status OnednnWinnerDecode(OnednnContext& context, const WinnerKernels& kernels, const WinnerDecodeArgs& args);

}  // namespace kwta
