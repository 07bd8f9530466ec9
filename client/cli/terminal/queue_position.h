// Where a job stands in the queue.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "client/client.h"

namespace kwta::client::cli {

// The jobs that wait.
struct JobQueue {
  std::vector<v1::Job> newest;  // the newest first; a server lists no more than kMostListed
  size_t size = 0;              // how many wait in all

  static constexpr size_t kMostListed = 1000;
};

// Returns "next", "1 job before it", "7 jobs before it"; "fewer than 7 jobs before it" if it is older than those listed
// of a longer queue; an empty string if the job does not wait.
std::string PositionWords(const JobQueue& queue, const v1::Job& job);

// Asks the server which jobs are queued; returns an empty queue if it does not answer.
JobQueue QueuedJobs(Client& client);

}  // namespace kwta::client::cli
