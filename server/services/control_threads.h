// Threads for calls that may wait: for a disk, a lock or a model that loads.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace kwta::server {

// Runs work on a fixed number of threads. Callers take turns, so one that asks for much does not delay the others. What
// waits is bounded, in all and for each caller. Thread-safe.
class ControlThreads {
 public:
  struct Options {
    std::string what;  // the kind of the calls, for refusals
    int threads = 4;
    int most_waiting = 256;  // of all callers; one caller may have half of that
  };

  explicit ControlThreads(Options options);
  // Runs what waits, then ends the threads.
  ~ControlThreads();
  ControlThreads(const ControlThreads&) = delete;
  ControlThreads& operator=(const ControlThreads&) = delete;

  // Errors: RESOURCE_EXHAUSTED naming the limit, with a RetryAfter; `work` then never runs.
  absl::Status Run(absl::string_view caller, std::function<void()> work);

  // How much waits for a thread now, and how much may.
  int waiting() const;
  int most_waiting() const { return options_.most_waiting; }

 private:
  using Works = std::deque<std::function<void()>>;
  using Callers = std::map<std::string, Works, std::less<>>;

  void Work();
  bool HasWorkOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stops_ || !turns_.empty(); }

  const Options options_;
  mutable absl::Mutex mutex_;
  Callers callers_ ABSL_GUARDED_BY(mutex_);                      // none without work
  std::deque<Callers::iterator> turns_ ABSL_GUARDED_BY(mutex_);  // each caller once
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stops_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace kwta::server
