#include "tests/core/backends/cuda/emulation/emulated_backend.h"

#include <string>

#include "absl/strings/numbers.h"
#include "core/backends/cuda/cuda_backend.h"
#include "core/base/status_macros.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"

namespace kwta::cuda {

absl::StatusOr<std::shared_ptr<Backend>> CreateEmulatedBackend(const BackendOptions& options) {
  KWTA_RETURN_IF_ERROR(CheckSettings("emulated", options, {"filter", "seed"}));
  KWTA_ASSIGN_OR_RETURN(const Filter filter, FilterSetting(options));
  EmulationOptions emulation;
  const auto seed = options.settings.find("seed");
  if (seed != options.settings.end() && !absl::SimpleAtoi(seed->second, &emulation.seed)) {
    return absl::InvalidArgumentError("the seed of the emulated backend is a whole number");
  }
  return std::make_shared<CudaBackend>("emulated", std::make_unique<EmulatedDevice>(emulation), filter);
}

}  // namespace kwta::cuda
