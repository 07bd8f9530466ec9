// The CUDA backend on the emulated device.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta::cuda {

// Its name is "emulated". Settings: "filter" as of the CUDA backend, and "seed" of the order of queues, blocks and
// threads.
absl::StatusOr<std::shared_ptr<Backend>> CreateEmulatedBackend(const BackendOptions& options);

}  // namespace kwta::cuda
