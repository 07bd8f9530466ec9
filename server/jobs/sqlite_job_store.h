// Keeps jobs in one SQLite file, so that no database needs to be installed.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/jobs/job_store.h"

namespace kwta::server {

// Opens the store at `path`; creates it if it is missing. Errors: DATA_LOSS (damaged, or not a job store),
// FAILED_PRECONDITION (written by a newer kwta-server), UNAVAILABLE.
absl::StatusOr<std::unique_ptr<JobStore>> OpenSqliteJobStore(const std::string& path);

}  // namespace kwta::server
