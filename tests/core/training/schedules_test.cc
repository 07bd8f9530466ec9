#include "core/training/schedules.h"

#include <gtest/gtest.h>

namespace kwta::schedules_test {
namespace {

TEST(LearningRateSchedule, IsConstantThenFallsToTheLastUpdate) {
  const LearningRateSchedule schedule(1.0, 0.2, 9);  // updates 0 .. 8, the second half begins at 4
  for (int update = 0; update <= 4; ++update) EXPECT_EQ(schedule.At(update), 1.0) << update;
  EXPECT_NEAR(schedule.At(5), 0.8, 1e-12);
  EXPECT_NEAR(schedule.At(6), 0.6, 1e-12);
  EXPECT_NEAR(schedule.At(7), 0.4, 1e-12);
  EXPECT_EQ(schedule.At(8), 0.2);
}

TEST(LearningRateSchedule, OfOneAndTwoUpdates) {
  EXPECT_EQ(LearningRateSchedule(1.0, 0.1, 1).At(0), 1.0);
  EXPECT_EQ(LearningRateSchedule(1.0, 0.1, 2).At(0), 1.0);
  EXPECT_EQ(LearningRateSchedule(1.0, 0.1, 2).At(1), 0.1);
}

TEST(LearningRateSchedule, StaysConstantIfTheEndsAreEqual) {
  const LearningRateSchedule schedule(0.001, 0.001, 1000);
  for (int update = 0; update < 1000; ++update) EXPECT_EQ(schedule.At(update), 0.001);
}

TEST(LinearFall, IsOneAtTheFirstUpdateAndNothingAfterTheLast) {
  EXPECT_EQ(LinearFall(0, 4), 1);
  EXPECT_EQ(LinearFall(1, 4), 0.75);
  EXPECT_EQ(LinearFall(4, 4), 0);
}

}  // namespace
}  // namespace kwta::schedules_test
