// The backends in this build. No other file knows which there are.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta {

// Names of the backends in this build, best first; "reference" is always there, and last.
std::vector<std::string> BackendNames();
// Those of them that compute on a device, best first; may be empty.
std::vector<std::string> DeviceBackendNames();

// Creates a backend. An empty name selects the best one that works on this machine.
// Errors: NOT_FOUND naming the available backends; INVALID_ARGUMENT if a setting is unknown, or names something unknown
// or missing on this machine; UNAVAILABLE if the backend's device or library does not work here.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(absl::string_view name, const BackendOptions& options);

}  // namespace kwta
