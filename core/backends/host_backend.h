// The memory of the backends that compute on the processor: the host's own.
#pragma once

#include <cstddef>

#include "core/backends/backend.h"

namespace kwta {

// `bytes` (may be 0) of zeroed memory, aligned to 64 bytes. Errors: RESOURCE_EXHAUSTED.
absl::StatusOr<Buffer> AllocateHost(size_t bytes);

// What every processor backend shares. Thread-safe.
class HostBackend : public Backend {
 public:
  bool host_accessible() const final { return true; }

  absl::StatusOr<Buffer> Allocate(size_t bytes) final { return AllocateHost(bytes); }
  absl::Status CopyFromHost(const void* host, void* device, size_t bytes) final;
  absl::Status CopyToHost(const void* device, void* host, size_t bytes) final;
};

}  // namespace kwta
