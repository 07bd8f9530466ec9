#include "server/jobs/job_journal.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/jobs/job_events.h"

namespace kwta::server {
namespace {

constexpr int64_t kEventsAtOnce = 256;

}  // namespace

JobJournal::JobJournal(JobStore* store, Events events) : store_(store), events_(std::move(events)) {}

absl::StatusOr<JobStore::Created> JobJournal::Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) {
  absl::StatusOr<JobStore::Created> created = store_->Create(id, spec, now);
  Note(created.status());
  if (created.ok() && created->is_new) {
    if (events_.changed) events_.changed(created->job);
    Tell(id);
  }
  return created;
}

absl::StatusOr<v1::Job> JobJournal::Append(const std::string& id, const v1::JobEvent& event) {
  absl::StatusOr<v1::Job> job = store_->Append(id, event);
  Note(job.status());
  if (!job.ok()) return job;
  if (events_.changed && !event.has_progress()) events_.changed(*job);
  Tell(id);
  return job;
}

void JobJournal::Note(const absl::Status& status) const {
  // These errors come from a working store.
  const bool works = status.ok() || absl::IsNotFound(status) || absl::IsAlreadyExists(status) || JobHasEnded(status);
  if (!works && events_.not_stored) events_.not_stored(status);
}

absl::StatusOr<JobJournal::News> JobJournal::NewsOf(const std::string& id, uint64_t after_sequence) {
  KWTA_ASSIGN_OR_RETURN(const v1::Job job, store_->Get(id));
  News news;
  KWTA_ASSIGN_OR_RETURN(news.events, store_->EventsAfter(id, after_sequence, kEventsAtOnce));
  if (!news.events.empty()) after_sequence = news.events.back().sequence();
  news.ended = IsFinal(job.state()) && after_sequence >= job.last_sequence();
  if (!news.events.empty() || news.ended) return news;
  absl::MutexLock lock(&mutex_);
  if (!stopped_) return news;
  return absl::UnavailableError(
      absl::StrCat("the server is stopping; watch job '", id, "' again with after_sequence ", after_sequence));
}

JobJournal::Following JobJournal::Follow(const std::string& id, std::function<void()> changed) {
  absl::MutexLock lock(&mutex_);
  return Following(this, followers_.emplace(id, std::move(changed)));
}

JobJournal::Following::~Following() {
  if (journal_ == nullptr) return;
  absl::MutexLock lock(&journal_->mutex_);
  journal_->followers_.erase(follower_);
}

void JobJournal::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  for (const auto& [id, changed] : followers_) changed();
}

void JobJournal::Tell(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto [begin, end] = followers_.equal_range(id);
  for (auto each = begin; each != end; ++each) each->second();
}

}  // namespace kwta::server
