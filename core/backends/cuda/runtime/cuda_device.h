// A Device of the CUDA runtime.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "core/backends/cuda/device.h"

namespace kwta::cuda {

struct CudaDeviceOptions {
  int index = 0;
  std::string cublas_library;  // a file; empty: where the dynamic loader looks
};

// Opens a device. Errors: UNAVAILABLE if there is no driver, an older one, or no device; INVALID_ARGUMENT if there are
// devices, but not that one; FAILED_PRECONDITION if it is older than the kernels.
absl::StatusOr<std::unique_ptr<Device>> OpenCudaDevice(const CudaDeviceOptions& options);

}  // namespace kwta::cuda
