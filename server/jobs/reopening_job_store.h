// A job store that may be unavailable when the server starts.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "server/jobs/job_store.h"

namespace kwta::server {

// Returns a store whose methods call `open` until it succeeds, at most about once a second, and return its error until
// then. Meanwhile the server serves models, and jobs wait. Thread-safe. `open` is never called concurrently.
std::unique_ptr<JobStore> OpenWhenPossible(std::function<absl::StatusOr<std::unique_ptr<JobStore>>()> open);

}  // namespace kwta::server
