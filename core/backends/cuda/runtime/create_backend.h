// The registry's row of the CUDA backend.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta::cuda {

// The backend on a CUDA device, options.device. Settings:
//   filter   how AffineTopK finds candidates: auto (default), bf16 or none
//   cublas   the file of cuBLASLt (default: where the dynamic loader looks). Without it every score is exact, and slow
// Errors: those of OpenCudaDevice; INVALID_ARGUMENT for other settings.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options);

}  // namespace kwta::cuda
