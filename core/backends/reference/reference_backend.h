// Plain loops that define what every backend computes.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta {

// The oracle of the conformance suite, and the backend of builds without any other. It uses one thread and host memory.
// Sums are in binary64 in the order of the indices and rounded to binary32 once, except the scores of AffineTopK, which
// are FixedOrderDot's. It has no settings. Thread-safe. Errors: INVALID_ARGUMENT if `options` has any.
absl::StatusOr<std::shared_ptr<Backend>> CreateReferenceBackend(const BackendOptions& options);

}  // namespace kwta
