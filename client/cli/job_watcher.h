// Follows a job on the screen until it ends.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace kwta::client::cli {

// Returns the lower-case name of a job's state: "queued", "running", "succeeded", "failed", "cancelled".
std::string StateName(v1::JobState state);

// Prints the events of a job, then a summary. On a terminal it rewrites one line; elsewhere it prints a line per epoch.
// With --json it prints an object {"event": ...} per line and {"job": ...} at the end. Ctrl-C leaves the job running
// and says how to return. Returns kSuccess, kJobFailed, or the exit code of ReportFailure.
ExitCode FollowJob(Client& client, const std::string& job_id, const GlobalOptions& global);

}  // namespace kwta::client::cli
