// WinnerResidual of images with many channels.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"

namespace kwta::onednn::winners {

// Returns the same bits as WinnerResidual; it is faster from kInterleavedChannels channels on.
absl::Status InterleavedWinnerResidual(support::Context& context, const PatchKernels& kernels,
                                       const WinnerResidualArgs& args);

}  // namespace kwta::onednn::winners
