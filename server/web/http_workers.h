// A few threads for work of the HTTP port that would hold up its own thread.
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
  ~HttpWorkers() { Stop(); }
  HttpWorkers(const HttpWorkers&) = delete;
  HttpWorkers& operator=(const HttpWorkers&) = delete;

  // Returns false, and does not run `work`, if too much waits, or after Stop.
  bool Run(std::function<void()> work);
  // Drops what waits and returns when the rest is done.
  void Stop();

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
