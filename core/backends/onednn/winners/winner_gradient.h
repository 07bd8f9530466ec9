// WinnerGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"

namespace kwta::onednn::winners {

// Implements HostBackend::WinnerGradient. One thread adds each map's winners in the order of rows and entries, in
// binary32.
absl::Status WinnerGradient(support::Context& context, const PatchKernels& kernels, const WinnerGradientArgs& args);

}  // namespace kwta::onednn::winners
