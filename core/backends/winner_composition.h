// WinnerPass as the operations that it is made of.
#pragma once

#include "absl/status/status.h"
#include "core/backends/host_backend.h"

namespace kwta {

// As Backend::WinnerPass.
absl::Status ComposeWinnerPass(HostBackend& backend, const WinnerPassArgs& args);

}  // namespace kwta
