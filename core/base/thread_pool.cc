#include "core/base/thread_pool.h"

#include <algorithm>
#include <chrono>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace kwta {
namespace {

// How long a thread looks for work, or for the end of others' work, before it sleeps: several times what waking a
// sleeping thread takes, so that loops that follow each other closely find all threads awake; and too short to matter
// to a machine that has other things to do.
constexpr std::chrono::microseconds kSpin{40};

// Waits until done() or until kSpin is over. Returns whether done() was seen.
template <typename Done>
bool SpinUntil(const Done& done) {
  constexpr int kLooksBetweenClocks = 16;
  const auto deadline = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kLooksBetweenClocks; ++i) {
      if (done()) return true;
#if defined(__SSE2__)
      _mm_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < deadline);
  return done();
}

}  // namespace

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
    // The lock is for workers that sleep; those that spin see generation_, which is written last.
    absl::MutexLock lock(&mutex_);
    loop_.store(&loop, std::memory_order_relaxed);
    busy_workers_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
  }
  loop.Run(0);
  // Every worker must have seen this loop before `loop` leaves scope, even one that came too late to do any of it.
  const auto all_done = [this] { return busy_workers_.load(std::memory_order_acquire) == 0; };
  if (SpinUntil(all_done)) return;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&all_done));
}

void ThreadPool::Work(int thread) {
  uint64_t seen = 0;
  const auto has_work = [this, &seen] { return generation_.load(std::memory_order_acquire) != seen; };
  while (true) {
    if (!SpinUntil(has_work)) {
      absl::MutexLock lock(&mutex_);
      const auto wake = [this, &has_work]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || has_work(); };
      mutex_.Await(absl::Condition(&wake));
      if (stopping_) return;
    }
    ++seen;
    loop_.load(std::memory_order_relaxed)->Run(thread);
    // The last one wakes the caller, if it sleeps: conditions are looked at when the lock is given back.
    if (busy_workers_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      absl::MutexLock lock(&mutex_);
    }
  }
}

}  // namespace kwta
