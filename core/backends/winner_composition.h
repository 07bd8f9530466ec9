// WinnerPass, composed of separate operations.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_backend.h"

namespace kwta {

// Implements Backend::WinnerPass.
absl::Status ComposeWinnerPass(HostBackend& backend, const WinnerPassArgs& args);

}  // namespace kwta
