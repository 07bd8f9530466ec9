// A job store that need not be there when the server starts.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "server/jobs/job_store.h"

namespace kwta::server {

// A store whose methods call `open` until it succeeds, about once a second at most, and give its error until then:
// models are served meanwhile, and jobs wait. Thread-safe. `open` is called once at a time.
std::unique_ptr<JobStore> OpenWhenPossible(std::function<absl::StatusOr<std::unique_ptr<JobStore>>()> open);

}  // namespace kwta::server
