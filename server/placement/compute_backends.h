// The backends that a server computes with.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "server/options.h"

namespace kwta::server {

struct ComputeBackends {
  std::shared_ptr<Backend> processor;
  std::shared_ptr<Backend> device;  // null: none computes
  absl::Status no_device;           // why, if one was looked for
};

// Makes those that `options` ask for. Without --backend, or with that of a device, models compute on the device if
// there is one, and the best backend of processors stands beside it. Logs a device that is missing. Errors:
// INVALID_ARGUMENT (there are devices, but not --device; or nothing that --device could mean), and what CreateBackend
// says of the backend that options.backend names.
absl::StatusOr<ComputeBackends> OpenComputeBackends(const Options& options);

// What Server::Start opens its backends with.
using OpenBackends = std::function<absl::StatusOr<ComputeBackends>(const Options& options)>;

}  // namespace kwta::server
