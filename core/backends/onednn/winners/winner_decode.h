// WinnerDecode of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"
#include "core/backends/winner_args.h"

namespace kwta::onednn::winners {

// As Backend::WinnerDecode. Each image's winners are added in their order, in binary32, by one thread.
absl::Status WinnerDecode(support::Context& context, const PatchKernels& kernels, const WinnerDecodeArgs& args);

}  // namespace kwta::onednn::winners
