#include "client/cli/terminal/queue_position.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::client::cli {

std::optional<size_t> JobsBefore(const std::vector<v1::Job>& queued, const std::string& job_id) {
  for (size_t i = 0; i < queued.size(); ++i) {
    if (queued[i].id() == job_id) return queued.size() - 1 - i;
  }
  return std::nullopt;
}

std::string PositionWords(size_t before) {
  if (before == 0) return "next";
  return absl::StrCat(before, before == 1 ? " job before it" : " jobs before it");
}

std::vector<v1::Job> QueuedJobs(Client& client) {
  constexpr uint32_t kMost = 1000;
  v1::ListJobsRequest request;
  request.set_state(v1::JOB_STATE_QUEUED);
  request.set_limit(kMost);
  auto jobs = client.ListJobs(request);
  return jobs.ok() ? *std::move(jobs) : std::vector<v1::Job>();
}

}  // namespace kwta::client::cli
