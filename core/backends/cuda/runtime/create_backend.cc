#include "core/backends/cuda/runtime/create_backend.h"

#include "core/backends/cuda/cuda_backend.h"
#include "core/backends/cuda/runtime/cuda_device.h"
#include "core/base/status_macros.h"

namespace kwta::cuda {

absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(const BackendOptions& options) {
  KWTA_RETURN_IF_ERROR(CheckSettings("cuda", options, {"filter", "cublas"}));
  KWTA_ASSIGN_OR_RETURN(const Filter filter, FilterSetting(options));
  CudaDeviceOptions device_options;
  device_options.index = options.device.value_or(0);
  if (const auto found = options.settings.find("cublas"); found != options.settings.end()) {
    device_options.cublas_library = found->second;
  }
  KWTA_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, OpenCudaDevice(device_options));
  return std::make_shared<CudaBackend>("cuda", std::move(device), filter);
}

}  // namespace kwta::cuda
