// Follows a job as a caller of WatchJob does.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "core/base/status_macros.h"
#include "server/jobs/job_journal.h"

namespace kwta::server {

// Passes the job's events after `after_sequence` to `emit`: past events first, then each new one as it happens. Blocks;
// returns OK once the job has ended and all events were passed. Asks `alive` about twice a second. Errors: those of
// JobJournal::NewsOf; CANCELLED as soon as `emit` or `alive` returns false.
inline absl::Status WatchJob(JobJournal& journal, const std::string& id, uint64_t after_sequence,
                             const std::function<bool(const v1::JobEvent&)>& emit, const std::function<bool()>& alive) {
  absl::Mutex mutex;
  bool changed = true;
  const JobJournal::Following following = journal.Follow(id, [&] {
    absl::MutexLock lock(&mutex);
    changed = true;
  });
  for (;;) {
    {
      absl::MutexLock lock(&mutex);
      if (!mutex.AwaitWithTimeout(absl::Condition(&changed), absl::Milliseconds(500))) {
        if (!alive()) return absl::CancelledError("the watcher went away");
        continue;
      }
      changed = false;
    }
    JobJournal::News news;
    do {
      KWTA_ASSIGN_OR_RETURN(news, journal.NewsOf(id, after_sequence));
      for (const v1::JobEvent& event : news.events) {
        if (!emit(event)) return absl::CancelledError("the watcher went away");
        after_sequence = event.sequence();
      }
    } while (!news.events.empty() && !news.ended);
    if (news.ended) return absl::OkStatus();
    if (!alive()) return absl::CancelledError("the watcher went away");
  }
}

}  // namespace kwta::server
