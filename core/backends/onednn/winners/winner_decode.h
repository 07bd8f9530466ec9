// WinnerResidual, and so WinnerDecode, of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"

namespace kwta::onednn::winners {

// Implements HostBackend::WinnerResidual. One thread adds each image's winners in their order, in binary32.
absl::Status WinnerResidual(support::Context& context, const PatchKernels& kernels, const WinnerResidualArgs& args);

}  // namespace kwta::onednn::winners
