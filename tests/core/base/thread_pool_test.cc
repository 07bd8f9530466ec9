#include "core/base/thread_pool.h"

#include <atomic>
#include <numeric>

#include "absl/synchronization/barrier.h"
#include "gtest/gtest.h"

namespace kwta {
namespace {

TEST(ThreadPool, EveryIndexIsVisitedOnceInRangesOfAtMostTheGrain) {
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int64_t count : {0, 1, 2, 7, 100, 1001}) {
      for (int64_t grain : {1, 3, 100, 5000}) {
        std::vector<std::atomic<int>> visits(count);
        std::atomic<bool> ranges_fit{true};
        pool.ParallelFor(count, grain, [&](int64_t begin, int64_t end, int thread) {
          if (begin >= end || end - begin > grain || begin % grain != 0) ranges_fit = false;
          if (thread < 0 || thread >= threads) ranges_fit = false;
          for (int64_t i = begin; i < end; ++i) ++visits[i];
        });
        EXPECT_TRUE(ranges_fit);
        for (const std::atomic<int>& visit : visits) ASSERT_EQ(visit, 1);
      }
    }
  }
}

TEST(ThreadPool, AGrainBelowOneIsOne) {
  ThreadPool pool(2);
  std::atomic<int> ranges{0};
  pool.ParallelFor(3, 0, [&](int64_t begin, int64_t end, int) { ranges += end - begin == 1; });
  EXPECT_EQ(ranges, 3);
}

TEST(ThreadPool, ItsThreadsRunAtTheSameTime) {
  constexpr int kThreads = 4;
  ThreadPool pool(kThreads);
  // Nobody passes unless all have come, each on a thread of its own.
  absl::Barrier barrier(kThreads);
  std::atomic<int> threads_seen{0};
  pool.ParallelFor(kThreads, 1, [&](int64_t, int64_t, int thread) {
    threads_seen |= 1 << thread;
    barrier.Block();
  });
  EXPECT_EQ(threads_seen, (1 << kThreads) - 1);
}

TEST(ThreadPool, WritesOfALoopAreSeenAfterItAndByTheNext) {
  ThreadPool pool(3);
  std::vector<int64_t> values(1000);
  for (int round = 0; round < 200; ++round) {
    pool.ParallelFor(1000, 10, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) ++values[i];
    });
  }
  EXPECT_EQ(std::accumulate(values.begin(), values.end(), int64_t{0}), 200000);
}

TEST(ThreadPool, LoopsOfSeveralCallersDoNotOverlap) {
  ThreadPool pool(2);
  std::atomic<int> running_loop{-1};
  std::atomic<bool> overlapped{false};
  std::atomic<int64_t> visited{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 50; ++round) {
        std::atomic<int> left{20};
        pool.ParallelFor(20, 1, [&](int64_t, int64_t, int) {
          int expected = -1;
          if (!running_loop.compare_exchange_strong(expected, caller) && expected != caller) overlapped = true;
          ++visited;
          if (--left == 0) running_loop = -1;
        });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(visited, 4 * 50 * 20);
}

TEST(ThreadPool, PoolsComeAndGoUnused) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(3);
}

}  // namespace
}  // namespace kwta
