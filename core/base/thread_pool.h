// The threads that compute.
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
// another, so that kernels never compete for the processors they were sized for. A loop waits only for threads that
// took part in it: where other programs have the processors, the caller does what the others do not come to. Where
// loops follow each other closely, a thread without work stays awake for a few dozen microseconds before it sleeps.
// Each thread has its part of a loop, the same of every loop over as many ranges, and takes ranges of others' parts
// only when it has done its own: what it writes in one loop is in its own cache in the next.
class ThreadPool {
 public:
  // REQUIRES: threads >= 1. A pool of one runs everything in the caller.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end, thread) for consecutive ranges of at most `grain` that cover 0 .. count - 1, and returns
  // when all are done. Which thread (0 .. threads() - 1) takes a range is not fixed, so results must not depend on it;
  // `thread` serves to index scratch memory. body must not call ParallelFor of the same pool and must not throw.
  void ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body);

 private:
  struct Loop;
  // What is left of the ranges that a thread is to take first; on a cache line of its own.
  struct alignas(64) Part {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  void Work(int thread);

  absl::Mutex callers_;  // Held by the caller whose loop is running.
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // Of the loop that runs or ran last; changed by its caller under mutex_, and seen by threads that are awake without
  // it. state_, written last, holds the loop's number, whether threads may join it, and how many workers are in it.
  std::atomic<Loop*> loop_{nullptr};
  std::atomic<int64_t> loop_begin_{0};  // nanoseconds of the steady clock
  std::atomic<uint64_t> state_{0};
  std::vector<Part> parts_;  // of the loop that loop_ is, one for each thread
  std::vector<std::thread> workers_;
};

}  // namespace kwta
