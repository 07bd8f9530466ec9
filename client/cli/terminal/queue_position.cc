#include "client/cli/terminal/queue_position.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::client::cli {
namespace {

std::string JobsText(size_t count) { return absl::StrCat(count, count == 1 ? " job" : " jobs", " before it"); }

}  // namespace

std::string PositionWords(const JobQueue& queue, const v1::Job& job) {
  if (job.state() != v1::JOB_STATE_QUEUED) return "";
  const auto found = std::find_if(queue.newest.begin(), queue.newest.end(),
                                  [&job](const v1::Job& each) { return each.id() == job.id(); });
  const size_t size = std::max(queue.size, queue.newest.size());
  if (found != queue.newest.end()) {
    const size_t before = size - 1 - static_cast<size_t>(found - queue.newest.begin());
    return before == 0 ? "next" : JobsText(before);
  }
  const size_t older = size - queue.newest.size();
  return older == 0 ? "" : absl::StrCat("fewer than ", JobsText(older));
}

JobQueue QueuedJobs(Client& client) {
  v1::ListJobsRequest request;
  request.set_state(v1::JOB_STATE_QUEUED);
  request.set_limit(JobQueue::kMostListed);
  auto jobs = client.ListJobs(request);
  if (!jobs.ok()) return {};
  JobQueue queue{*std::move(jobs), 0};
  queue.size = queue.newest.size();
  if (queue.size < JobQueue::kMostListed) return queue;
  const auto status = client.ServerStatus();
  if (status.ok()) queue.size = std::max<size_t>(queue.size, status->jobs_queued());
  return queue;
}

}  // namespace kwta::client::cli
