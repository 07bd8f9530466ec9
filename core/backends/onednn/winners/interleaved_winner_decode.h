// WinnerDecode of images with many channels.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/winner_kernels.h"
#include "core/backends/winner_args.h"

namespace kwta {

// As OnednnWinnerDecode, and the same bits; quick from kInterleavedChannels channels on.
absl::Status InterleavedWinnerDecode(OnednnContext& context, const WinnerKernels& kernels,
                                     const WinnerDecodeArgs& args);

}  // namespace kwta
