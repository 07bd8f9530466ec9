// The threads that run kernels.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta {

// Runs loops over a fixed number of threads, the caller's included. Thread-safe: loops of several callers run one after
// another, so kernels never compete for the processors they were sized for. A loop waits only for threads that took
// part in it. If other programs hold the processors, the caller does the work of the threads that do not arrive. If
// loops follow each other closely, an idle thread stays awake for a few dozen microseconds before it sleeps. Each
// thread owns the same part of every loop that has the same number of ranges. It takes ranges from other parts only
// when its own is done, so what it writes in one loop is in its own cache in the next. Between ranges, threads of the
// system's idle class let others have the processor.
class ThreadPool {
 public:
  // REQUIRES: threads >= 1. A pool of one runs everything in the caller.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end, thread) for consecutive ranges of at most `grain` that cover 0 .. count - 1, and returns
  // when all are done. `thread` (0 .. threads() - 1) indexes scratch memory. Any thread may take any range, so results
  // must not depend on it. body must not call ParallelFor of the same pool and must not throw.
  void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body);

 private:
  struct Loop;
  // The remaining ranges of the part that one thread takes first. Each has a cache line of its own.
  struct alignas(64) Part {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  void Work(int thread);

  absl::Mutex callers_;  // Held by the caller whose loop is running.
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The loop that is running or ran last. Its caller changes these fields under mutex_; awake threads read them without
  // it. state_, written last, holds the loop's number, whether threads may join it, and how many workers are in it.
  std::atomic<Loop*> loop_{nullptr};
  std::atomic<int64_t> loop_begin_{0};  // nanoseconds of the steady clock
  std::atomic<uint64_t> state_{0};
  std::vector<Part> parts_;  // of the loop in loop_, one for each thread
  std::vector<std::thread> workers_;
};

}  // namespace kwta
