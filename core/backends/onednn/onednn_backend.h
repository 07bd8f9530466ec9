// The backend for processors: oneDNN's matrix products, kernels of our own around them.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_registry.h"

namespace kwta::onednn {

// Host memory, a thread pool of its own. Thread-safe. Results do not depend on the number of threads.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options);

}  // namespace kwta::onednn
