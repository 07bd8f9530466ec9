#include "core/base/processor_share.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace kwta::processor_share_test {
namespace {

void Compute(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

class ProcessorShareTest : public testing::Test {
 protected:
  void SetUp() override {
    uint64_t run = 0, waited = 0;
    if (!(std::ifstream("/proc/thread-self/schedstat") >> run >> waited) || run == 0) {
      GTEST_SKIP() << "this system does not count the time that threads wait";
    }
  }
};

TEST_F(ProcessorShareTest, ThreadsThatShareAProcessorGetAPartEach) {
  std::vector<std::thread> threads;
  std::atomic<int> ready{0};
  ProcessorShare share;
  share.Take();
  constexpr int kThreads = 4;
  const int processor = sched_getcpu();
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&ready, processor] {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(processor, &one);
      EXPECT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
      ++ready;
      while (ready < kThreads) std::this_thread::yield();
      Compute(std::chrono::milliseconds(200));
    });
  }
  // While they run.
  while (ready < kThreads) std::this_thread::yield();
  Compute(std::chrono::milliseconds(100));
  const std::optional<double> got = share.Take();
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(got.has_value());
  // This thread may have a processor for itself; the four have one together.
  EXPECT_LT(*got, 0.7);
  EXPECT_GT(*got, 0.02);
}

TEST_F(ProcessorShareTest, CountsOnlyWhatHappenedSinceTheLastCall) {
  ProcessorShare share;
  Compute(std::chrono::milliseconds(20));
  EXPECT_TRUE(share.Take().has_value());
  const std::optional<double> after = share.Take();
  if (after.has_value()) {
    EXPECT_GE(*after, 0);
    EXPECT_LE(*after, 1);
  }
}

}  // namespace
}  // namespace kwta::processor_share_test
