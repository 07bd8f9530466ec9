// Follows a job on the screen until it ends.
#pragma once

#include <string>

#include "client/cli/command.h"

namespace kwta::client::cli {

// The last word of a job's state: "queued", "running", "succeeded", "failed", "cancelled".
std::string StateName(v1::JobState state);

// Prints the events of a job: a line that is rewritten on a terminal, a line an epoch elsewhere, an object {"event":
// ...} a line with --json and {"job": ...} at the end; then a summary. Ctrl-C leaves the job running and says how to
// return. Returns kSuccess, kJobFailed, or what ReportFailure gives.
ExitCode FollowJob(Client& client, const std::string& job_id, const GlobalOptions& global);

}  // namespace kwta::client::cli
