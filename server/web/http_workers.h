// A few threads for work on the HTTP port that waits: for the job store, or for a model that is loaded.
#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// Thread-safe.
class HttpWorkers {
 public:
  HttpWorkers(int threads, size_t most_waiting);
  // Drops what waits and returns when the rest is done.
  ~HttpWorkers();
  HttpWorkers(const HttpWorkers&) = delete;
  HttpWorkers& operator=(const HttpWorkers&) = delete;

  // Returns false, and does not run `work`, if too much waits.
  bool Run(std::function<void()> work);

 private:
  void Loop();
  bool HasWorkOrEnds() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !waiting_.empty() || ending_; }

  const size_t most_waiting_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kwta::server
