// Feeds the streams of server-sent events.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/base/stop_latch.h"
#include "server/jobs/job_store.h"
#include "server/web/http_exchange.h"

namespace kwta::server {

// Thread-safe. One thread feeds all streams; it looks four times a second, and not at all while nobody listens.
class LiveStreams {
 public:
  // The thread calls `overview`, which returns JSON. REQUIRES: the store outlives this.
  LiveStreams(std::function<std::string()> overview, JobStore* store);
  // Closes the streams.
  ~LiveStreams();
  LiveStreams(const LiveStreams&) = delete;
  LiveStreams& operator=(const LiveStreams&) = delete;

  // Sends an event "overview" now and every second.
  void AddOverview(HttpStreamPtr stream);
  // Sends an event "job" with each of the job's events after `after_sequence`; its id is the event's sequence number.
  // Closes the stream after the job's last event.
  void AddJob(HttpStreamPtr stream, std::string job_id, uint64_t after_sequence);

 private:
  struct JobStream {
    HttpStreamPtr stream;
    std::string job_id;
    uint64_t sequence;  // of the last event sent
  };
  void Run();
  void SendOverview(std::vector<HttpStreamPtr>* streams) const;
  // Returns false once the stream is over.
  bool SendEvents(JobStream* job) const;

  const std::function<std::string()> overview_;
  JobStore* const store_;
  StopLatch stop_;
  absl::Mutex mutex_;
  std::vector<HttpStreamPtr> new_overviews_ ABSL_GUARDED_BY(mutex_);
  std::vector<JobStream> new_jobs_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace kwta::server
