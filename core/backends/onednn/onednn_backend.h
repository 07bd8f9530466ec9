// The backend for processors: oneDNN's matrix products, kernels of our own around them.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta::onednn {

// Host memory, a thread pool of its own. Thread-safe. Results do not depend on the number of threads, nor on its
// settings, which are for tests and measurements:
//   instruction_set  "portable", "avx2", "avx512" or "vnni"
//   filter           what finds the candidates of codes: "int8", "bf16" or "fp32"
// A setting that is not there takes the environment's KWTA_FORCE_ISA or KWTA_FORCE_FILTER, and if that is not set
// either, the best for this machine: for a filter, what is fastest for a dictionary when it is prepared.
// Errors: INVALID_ARGUMENT if a setting is unknown, or names what is unknown or what this processor lacks.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options);

}  // namespace kwta::onednn
