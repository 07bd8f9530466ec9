// The backend for processors: oneDNN's matrix products, and our own kernels around them.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta::onednn {

// It uses host memory and a thread pool of its own. Thread-safe. Results depend neither on the number of threads nor on
// the settings, which are for tests and measurements:
//   instruction_set  "portable", "avx2", "avx512" or "vnni"
//   filter           finds the candidates of codes: "int8", "bf16" or "fp32"
// The environment's KWTA_FORCE_ISA or KWTA_FORCE_FILTER replaces a missing setting. Without either, the backend takes
// the best for this machine; for a filter, that is the fastest for each dictionary when it is prepared.
// Errors: INVALID_ARGUMENT if a setting is unknown, or names something unknown or missing on this processor.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options);

}  // namespace kwta::onednn
