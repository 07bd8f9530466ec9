#include "core/base/cpu.h"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "gtest/gtest.h"

namespace kwta {
namespace {

TEST(Cpu, ThereIsAtLeastOneProcessorAndNoMoreThanTheMachineHas) {
  EXPECT_GE(AvailableProcessors(), 1);
  EXPECT_LE(AvailableProcessors(), static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

TEST(Cpu, TheAffinityMaskLimitsTheProcessors) {
  // On a thread of its own, whose mask dies with it.
  int available = 0;
  std::thread([&available] {
    cpu_set_t allowed;
    ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
    int first = 0;
    while (!CPU_ISSET(first, &allowed)) ++first;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    available = AvailableProcessors();
  }).join();
  EXPECT_EQ(available, 1);
}

TEST(Cpu, ThreadsThatAreAskedForAreTaken) {
  EXPECT_EQ(ResolveThreads(7), 7);
  EXPECT_EQ(ResolveThreads(0), AvailableProcessors());
}

TEST(Cpu, FeaturesComeOnceAndInOrder) {
  const std::vector<std::string> order = {"avx2", "avx512f", "avx512_vnni", "amx_bf16", "amx_int8"};
  size_t next = 0;
  for (const std::string& feature : CpuFeatures()) {
    const auto place = std::find(order.begin() + next, order.end(), feature);
    ASSERT_NE(place, order.end()) << feature;
    next = place - order.begin() + 1;
  }
}

}  // namespace
}  // namespace kwta
