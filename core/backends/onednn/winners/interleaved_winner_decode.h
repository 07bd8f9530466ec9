// WinnerDecode of images with many channels.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// As WinnerDecode, and the same bits; quick from kInterleavedChannels channels on.
absl::Status InterleavedWinnerDecode(support::Context& context, const PatchKernels& kernels,
                                     const WinnerDecodeArgs& args);

}  // namespace kwta::onednn::winners
