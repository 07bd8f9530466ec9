#include "server/web/api/live_streams.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/jobs/job_events.h"
#include "server/web/api/status_json.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kLook = absl::Milliseconds(250);
constexpr int kLooksPerOverview = 4;
constexpr int64_t kEventsPerLook = 256;

}  // namespace

LiveStreams::LiveStreams(std::function<std::string()> overview, JobStore* store)
    : overview_(std::move(overview)), store_(store), thread_([this] { Run(); }) {}

LiveStreams::~LiveStreams() {
  stop_.Stop();
  thread_.join();
}

void LiveStreams::AddOverview(HttpStreamPtr stream) {
  absl::MutexLock lock(&mutex_);
  new_overviews_.push_back(std::move(stream));
}

void LiveStreams::AddJob(HttpStreamPtr stream, std::string job_id, uint64_t after_sequence) {
  absl::MutexLock lock(&mutex_);
  new_jobs_.push_back({std::move(stream), std::move(job_id), after_sequence});
}

void LiveStreams::Run() {
  std::vector<HttpStreamPtr> overviews;
  std::vector<JobStream> jobs;
  for (int look = 0; !stop_.StoppedWithin(kLook); ++look) {
    std::vector<HttpStreamPtr> arrived;
    {
      absl::MutexLock lock(&mutex_);
      arrived.swap(new_overviews_);
      jobs.insert(jobs.end(), std::make_move_iterator(new_jobs_.begin()), std::make_move_iterator(new_jobs_.end()));
      new_jobs_.clear();
    }
    const bool due = look % kLooksPerOverview == 0;
    SendOverview(&arrived);
    if (due) SendOverview(&overviews);
    overviews.insert(overviews.end(), arrived.begin(), arrived.end());
    jobs.erase(std::remove_if(jobs.begin(), jobs.end(), [this](JobStream& job) { return !SendEvents(&job); }),
               jobs.end());
  }
  absl::MutexLock lock(&mutex_);
  overviews.insert(overviews.end(), new_overviews_.begin(), new_overviews_.end());
  jobs.insert(jobs.end(), new_jobs_.begin(), new_jobs_.end());
  for (const HttpStreamPtr& stream : overviews) stream->Close();
  for (const JobStream& job : jobs) job.stream->Close();
}

void LiveStreams::SendOverview(std::vector<HttpStreamPtr>* streams) const {
  if (streams->empty()) return;
  const std::string event = ServerSentEvent("overview", "", overview_());
  streams->erase(std::remove_if(streams->begin(), streams->end(),
                                [&event](const HttpStreamPtr& stream) { return !stream->Send(event); }),
                 streams->end());
}

bool LiveStreams::SendEvents(JobStream* job) const {
  if (job->stream->over()) return false;
  const absl::StatusOr<std::vector<v1::JobEvent>> events =
      store_->EventsAfter(job->job_id, job->sequence, kEventsPerLook);
  if (!events.ok()) return true;  // the store may answer next time
  for (const v1::JobEvent& event : *events) {
    const std::string text = ServerSentEvent("job", absl::StrCat(event.sequence()), JobEventJson(event).dump());
    if (!job->stream->Send(text)) return false;
    job->sequence = event.sequence();
    if (!IsFinal(event.state())) continue;
    job->stream->Close();
    return false;
  }
  return true;
}

}  // namespace kwta::server
