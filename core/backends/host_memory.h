// Buffers in the host's memory, for the backends that compute on the processor.
#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"

namespace kwta {

// `bytes` (may be 0) of zeroed memory, aligned to 64 bytes. Errors: RESOURCE_EXHAUSTED.
absl::StatusOr<Buffer> AllocateHost(size_t bytes);

}  // namespace kwta
