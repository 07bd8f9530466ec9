#include "core/base/thread_pool.h"

#include <algorithm>
#include <chrono>

#include "core/base/divide_up.h"
#include "core/base/idle_class.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace kwta {
namespace {

// How long a thread looks for work, or for the end of others' work, before it sleeps. This is several times what it
// takes to wake a thread, so loops that follow each other closely find all threads awake. It is too short to matter to
// other programs.
constexpr std::chrono::microseconds kSpin{40};

// Fields of ThreadPool::state_.
constexpr uint64_t kInLoop = (uint64_t{1} << 31) - 1;
constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kNextLoop = uint64_t{1} << 32;

uint64_t LoopNumber(uint64_t state) { return state / kNextLoop; }

int64_t Nanoseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

// Waits until done() returns true or kSpin is over. Returns whether it saw done().
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
  std::vector<Part>& parts;

  void Divide() {
    const auto threads = static_cast<int64_t>(parts.size());
    const int64_t ranges = DivideUp(count, grain);
    for (int64_t i = 0; i < threads; ++i) {
      parts[i].next.store(ranges * i / threads * grain, std::memory_order_relaxed);
      parts[i].end = std::min(ranges * (i + 1) / threads * grain, count);
    }
  }

  void Run(int thread) {
    for (size_t i = 0; i < parts.size(); ++i) {
      Part& part = parts[(static_cast<size_t>(thread) + i) % parts.size()];
      while (part.next.load(std::memory_order_relaxed) < part.end) {
        const int64_t begin = part.next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= part.end) break;
        body(begin, std::min(begin + grain, part.end), thread);
        YieldInIdleClass();
      }
    }
  }
};

ThreadPool::ThreadPool(int threads) : parts_(static_cast<size_t>(threads)) {
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
  grain = std::max<int64_t>(grain, 1);
  absl::MutexLock one_loop_at_a_time(&callers_);
  if (workers_.empty() || count <= grain) {
    for (int64_t begin = 0; begin < count; begin += grain) {
      body(begin, std::min(begin + grain, count), 0);
      YieldInIdleClass();
    }
    return;
  }
  Loop loop{count, grain, body, parts_};
  loop.Divide();
  {
    // Sleeping workers need the lock.
    absl::MutexLock lock(&mutex_);
    loop_.store(&loop, std::memory_order_relaxed);
    loop_begin_.store(Nanoseconds(std::chrono::steady_clock::now()), std::memory_order_relaxed);
    const uint64_t number = LoopNumber(state_.load(std::memory_order_relaxed)) + 1;
    state_.store(number * kNextLoop + kOpen, std::memory_order_release);
  }
  loop.Run(0);
  // All ranges are taken. Workers that did not join have nothing to do, so the caller does not wait for them.
  const uint64_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  if ((state & kInLoop) == 0) return;
  const auto all_left = [this] { return (state_.load(std::memory_order_acquire) & kInLoop) == 0; };
  if (SpinUntil(all_left)) return;
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&all_left));
}

void ThreadPool::Work(int thread) {
  uint64_t seen = 0;
  int64_t last_end = 0;
  bool stays_awake = false;  // the last pause was short enough for this to pay
  const auto may_join = [this, &seen] {
    const uint64_t state = state_.load(std::memory_order_acquire);
    return (state & kOpen) != 0 && LoopNumber(state) != seen;
  };
  while (true) {
    if (!stays_awake || !SpinUntil(may_join)) {
      absl::MutexLock lock(&mutex_);
      const auto wake = [this, &may_join]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || may_join(); };
      mutex_.Await(absl::Condition(&wake));
      if (stopping_) return;
    }
    uint64_t state = state_.load(std::memory_order_relaxed);
    do {
      if ((state & kOpen) == 0) break;  // too late
    } while (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_relaxed));
    if ((state & kOpen) == 0) continue;
    seen = LoopNumber(state);
    const int64_t begin = loop_begin_.load(std::memory_order_relaxed);
    stays_awake = begin - last_end < std::chrono::nanoseconds(kSpin).count();
    loop_.load(std::memory_order_relaxed)->Run(thread);
    last_end = Nanoseconds(std::chrono::steady_clock::now());
    // The last worker wakes a sleeping caller: releasing the lock evaluates the caller's condition.
    const uint64_t left = state_.fetch_sub(1, std::memory_order_acq_rel) - 1;
    if ((left & (kOpen | kInLoop)) == 0) {
      absl::MutexLock lock(&mutex_);
    }
  }
}

}  // namespace kwta
