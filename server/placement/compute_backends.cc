#include "server/placement/compute_backends.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/backend_registry.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The first of `names` that works here. `passed_over` is told of the others.
template <typename PassedOver>
absl::StatusOr<std::shared_ptr<Backend>> FirstThatWorks(const std::vector<std::string>& names,
                                                        const BackendOptions& options, const PassedOver& passed_over) {
  absl::Status last = absl::NotFoundError("this build has no such backend");
  for (const std::string& name : names) {
    absl::StatusOr<std::shared_ptr<Backend>> backend = CreateBackend(name, options);
    if (backend.ok() || absl::IsInvalidArgument(backend.status())) return backend;
    passed_over(name, backend.status());
    last = backend.status();
  }
  return last;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

absl::StatusOr<ComputeBackends> OpenComputeBackends(const Options& options) {
  const std::vector<std::string> devices = DeviceBackendNames();
  const bool any = options.backend.empty(), names_device = Contains(devices, options.backend);
  BackendOptions backend_options;
  backend_options.threads = options.threads;
  backend_options.device = options.device;
  if (options.device.has_value() && !(any || names_device)) {
    return absl::InvalidArgumentError(absl::StrCat("--device ", *options.device,
                                                   " goes with a backend that computes on ", "a device; --backend ",
                                                   options.backend, " computes on processors"));
  }
  if (options.device.has_value() && devices.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--device ", *options.device,
                                                   ": this build has no backend that computes on a device; build with ",
                                                   "KWTA_CUDA=ON (docs/kernels/cuda.md)"));
  }
  ComputeBackends backends;
  if (names_device) {
    KWTA_ASSIGN_OR_RETURN(backends.device, CreateBackend(options.backend, backend_options));
  } else if (any && !devices.empty() && options.device_models != "none") {
    absl::StatusOr<std::shared_ptr<Backend>> device =
        FirstThatWorks(devices, backend_options, [](const std::string& name, const absl::Status& why) {
          spdlog::warn("the {} backend cannot run here, processors compute instead: {}", name, Message(why));
        });
    if (absl::IsInvalidArgument(device.status())) return device.status();
    if (device.ok()) backends.device = *std::move(device);
    backends.no_device = device.status();
  }
  if (!any && !names_device) {
    KWTA_ASSIGN_OR_RETURN(backends.processor, CreateBackend(options.backend, backend_options));
    return backends;
  }
  std::vector<std::string> processors;
  for (const std::string& name : BackendNames()) {
    if (!Contains(devices, name)) processors.push_back(name);
  }
  KWTA_ASSIGN_OR_RETURN(
      backends.processor,
      FirstThatWorks(processors, backend_options, [](const std::string& name, const absl::Status& why) {
        spdlog::warn("the {} backend cannot run here, the next one computes instead: {}", name, Message(why));
      }));
  return backends;
}

}  // namespace kwta::server
