#include "core/base/short_slices.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include "gtest/gtest.h"

namespace kwta::short_slices_test {
namespace {

TEST(ShortSlices, ClassAndNiceLevelStay) {
  std::thread([] {
    const auto thread = static_cast<id_t>(gettid());
    ASSERT_EQ(setpriority(PRIO_PROCESS, thread, getpriority(PRIO_PROCESS, thread) + 1), 0);
    const int nice = getpriority(PRIO_PROCESS, thread);
    AskForShortSlices();
    EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
    EXPECT_EQ(getpriority(PRIO_PROCESS, thread), nice);
  }).join();
}

TEST(ShortSlices, AskingTwiceIsAsGoodAsOnce) {
  std::thread([] {
    const bool first = AskForShortSlices();
    EXPECT_EQ(AskForShortSlices(), first);
  }).join();
}

TEST(ShortSlices, ThreadsOfOtherClassesStayAsTheyAre) {
  std::thread([] {
    const sched_param no_parameters = {};
    ASSERT_EQ(sched_setscheduler(0, SCHED_IDLE, &no_parameters), 0);
    EXPECT_FALSE(AskForShortSlices());
    EXPECT_EQ(sched_getscheduler(0), SCHED_IDLE);
  }).join();
}

}  // namespace
}  // namespace kwta::short_slices_test
