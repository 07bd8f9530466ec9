#include "core/base/thread_pool.h"

#include <algorithm>
#include <atomic>

namespace kwta {

struct ThreadPool::Loop {
  int64_t count;
  int64_t grain;
  const std::function<void(int64_t, int64_t, int)>& body;
  std::atomic<int64_t> next{0};

  void Run(int thread) {
    while (true) {
      const int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
      if (begin >= count) return;
      body(begin, std::min(begin + grain, count), thread);
    }
  }
};

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<size_t>(threads - 1));
  for (int thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { Work(thread); });
}

ThreadPool::~ThreadPool() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::ParallelFor(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  Loop loop{count, std::max<int64_t>(grain, 1), body};
  absl::MutexLock one_loop_at_a_time(&callers_);
  if (workers_.empty() || count <= loop.grain) {
    loop.Run(0);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    loop_ = &loop;
    ++generation_;
    busy_workers_ = static_cast<int>(workers_.size());
  }
  loop.Run(0);
  // Every worker must have seen this loop before `loop` leaves scope, even one that came too late to do any of it.
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](int* busy) { return *busy == 0; }, &busy_workers_));
  loop_ = nullptr;
}

void ThreadPool::Work(int thread) {
  uint64_t seen = 0;
  while (true) {
    Loop* loop;
    {
      absl::MutexLock lock(&mutex_);
      const auto wake = [this, seen]()
                            ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || generation_ != seen; };
      mutex_.Await(absl::Condition(&wake));
      if (stopping_) return;
      seen = generation_;
      loop = loop_;
    }
    loop->Run(thread);
    absl::MutexLock lock(&mutex_);
    --busy_workers_;
  }
}

}  // namespace kwta
