// WinnerGradient of the oneDNN backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_operations.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/winners/patch_kernels.h"

namespace kwta::onednn::winners {

// As HostBackend::WinnerGradient. Each map's winners are added in the order of rows and entries, in binary32, by one
// thread.
absl::Status WinnerGradient(support::Context& context, const PatchKernels& kernels, const WinnerGradientArgs& args);

}  // namespace kwta::onednn::winners
