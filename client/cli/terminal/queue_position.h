// Where a job stands in the queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/client.h"

namespace kwta::client::cli {

// Returns how many of the `queued` jobs, newest first as ListJobs returns them, are before the job; nullopt if the job
// is not among them.
std::optional<size_t> JobsBefore(const std::vector<v1::Job>& queued, const std::string& job_id);

// Returns "next", "1 job before it", "7 jobs before it".
std::string PositionWords(size_t before);

// Asks the server which jobs are queued; returns none if it does not answer.
std::vector<v1::Job> QueuedJobs(Client& client);

}  // namespace kwta::client::cli
