// The backends that were built in. The only place that knows which.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/backends/backend.h"
#include "core/backends/backend_options.h"

namespace kwta {

// Names of the backends built in, best first; "reference" is always there, and last.
std::vector<std::string> BackendNames();

// Creates a backend. An empty name takes the best one that works on this machine.
// Errors: NOT_FOUND naming the backends there are; INVALID_ARGUMENT if a setting is unknown, or names something that
// is unknown or that this machine lacks; UNAVAILABLE if its device or library does not work here.
absl::StatusOr<std::shared_ptr<Backend>> CreateBackend(absl::string_view name, const BackendOptions& options);

}  // namespace kwta
