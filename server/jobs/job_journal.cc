#include "server/jobs/job_journal.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/jobs/job_events.h"

namespace kwta::server {
namespace {

constexpr int64_t kEventsAtOnce = 256;
constexpr absl::Duration kAskAlive = absl::Milliseconds(500);

}  // namespace

JobJournal::JobJournal(JobStore* store, Events events) : store_(store), events_(std::move(events)) {}

absl::StatusOr<JobStore::Created> JobJournal::Create(const std::string& id, const v1::JobSpec& spec, absl::Time now) {
  absl::StatusOr<JobStore::Created> created = store_->Create(id, spec, now);
  Note(created.status());
  if (created.ok() && created->is_new) {
    if (events_.changed) events_.changed(created->job);
    Wake();
  }
  return created;
}

absl::StatusOr<v1::Job> JobJournal::Append(const std::string& id, const v1::JobEvent& event) {
  absl::StatusOr<v1::Job> job = store_->Append(id, event);
  Note(job.status());
  if (!job.ok()) return job;
  if (events_.changed && !event.has_progress()) events_.changed(*job);
  Wake();
  return job;
}

void JobJournal::Note(const absl::Status& status) const {
  // These errors come from a working store.
  const bool works = status.ok() || absl::IsNotFound(status) || absl::IsAlreadyExists(status) || JobHasEnded(status);
  if (!works && events_.not_stored) events_.not_stored(status);
}

absl::Status JobJournal::Watch(const std::string& id, uint64_t after_sequence,
                               const std::function<bool(const v1::JobEvent&)>& emit,
                               const std::function<bool()>& alive) {
  for (;;) {
    // Read this before the store, so that no event appended after reading the store is missed.
    const uint64_t seen = Generation();
    KWTA_ASSIGN_OR_RETURN(const v1::Job job, store_->Get(id));
    KWTA_ASSIGN_OR_RETURN(const std::vector<v1::JobEvent> events,
                          store_->EventsAfter(id, after_sequence, kEventsAtOnce));
    for (const v1::JobEvent& event : events) {
      if (!emit(event)) return absl::CancelledError("the watcher went away");
      after_sequence = event.sequence();
    }
    if (IsFinal(job.state()) && after_sequence >= job.last_sequence()) return absl::OkStatus();
    if (!events.empty()) continue;

    bool woken = false;
    while (!woken) {
      {
        absl::MutexLock lock(&mutex_);
        if (stopped_) {
          return absl::UnavailableError(
              absl::StrCat("the server is stopping; watch job '", id, "' again with after_sequence ", after_sequence));
        }
        if (generation_ == seen) woken_.WaitFor(&mutex_, kAskAlive);
        woken = generation_ != seen;
      }
      if (!alive()) return absl::CancelledError("the watcher went away");
    }
  }
}

void JobJournal::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  woken_.WakeAll();
}

void JobJournal::Wake() {
  absl::MutexLock lock(&mutex_);
  ++generation_;
  woken_.WakeAll();
}

uint64_t JobJournal::Generation() {
  absl::MutexLock lock(&mutex_);
  return generation_;
}

}  // namespace kwta::server
