#include "core/base/idle_class.h"

#include <sched.h>

#include <chrono>
#include <thread>

#include "gtest/gtest.h"

namespace kwta::idle_class_test {
namespace {

// Runs `body` on a new thread of the idle class.
template <typename Body>
void RunInIdleClass(const Body& body) {
  std::thread([&body] {
    const sched_param no_parameters = {};
    ASSERT_EQ(sched_setscheduler(0, SCHED_IDLE, &no_parameters), 0);
    body();
  }).join();
}

TEST(IdleClass, OnlyThreadsOfTheIdleClassYield) {
  std::thread([] { EXPECT_FALSE(YieldInIdleClass()); }).join();
  RunInIdleClass([] { EXPECT_TRUE(YieldInIdleClass()) << "the first time in the thread's life"; });
}

TEST(IdleClass, YieldsNoMoreThanOnceInFiftyMicroseconds) {
  RunInIdleClass([] {
    const auto begin = std::chrono::steady_clock::now();
    int yields = 0;
    for (int i = 0; i < 100'000; ++i) yields += YieldInIdleClass() ? 1 : 0;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(yields, 1);
    EXPECT_LE(yields, 1 + taken.count() / 50e-6);
  });
}

}  // namespace
}  // namespace kwta::idle_class_test
