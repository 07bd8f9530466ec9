// Where a job stands in the queue.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/client.h"

namespace kwta::client::cli {

// How many of the `queued` jobs, newest first as ListJobs gives them, are before the job; nullopt if it is not among
// them.
std::optional<size_t> JobsBefore(const std::vector<v1::Job>& queued, const std::string& job_id);

// "next", "1 job before it", "7 jobs before it".
std::string PositionWords(size_t before);

// Asks the server which jobs are queued; empty if it does not say.
std::vector<v1::Job> QueuedJobs(Client& client);

}  // namespace kwta::client::cli
