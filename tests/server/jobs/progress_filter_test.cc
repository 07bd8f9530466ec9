#include "server/jobs/progress_filter.h"

#include <gtest/gtest.h>

namespace kwta::server {
namespace {

v1::TrainingProgress At(uint32_t epoch, uint32_t epochs) {
  v1::TrainingProgress progress;
  progress.set_epochs_done(epoch);
  progress.set_epochs(epochs);
  return progress;
}

TEST(ProgressFilterTest, KeepsEveryEpochOfAShortJob) {
  const SteadyTime now = SteadyTime::At(absl::ZeroDuration());
  ProgressFilter filter(now);
  for (uint32_t epoch = 1; epoch <= 30; ++epoch) {
    EXPECT_TRUE(filter.Keep(At(epoch, 30), now));
    EXPECT_FALSE(filter.Keep(At(epoch, 30), now)) << "the same epoch again";
  }
}

TEST(ProgressFilterTest, KeepsAThousandEpochsOfALongJobAndTheLast) {
  const SteadyTime now = SteadyTime::At(absl::ZeroDuration());
  ProgressFilter filter(now);
  int kept = 0;
  bool kept_last = false;
  for (uint32_t epoch = 1; epoch <= 100'001; ++epoch) {
    kept_last = filter.Keep(At(epoch, 100'001), now);
    kept += kept_last ? 1 : 0;
  }
  EXPECT_GE(kept, 900);
  EXPECT_LE(kept, 1001);
  EXPECT_TRUE(kept_last);
}

TEST(ProgressFilterTest, WithinEpochsKeepsFewerAndFewer) {
  const SteadyTime start = SteadyTime::At(absl::ZeroDuration());
  ProgressFilter filter(start);
  int kept = 0;
  for (int tick = 1; tick <= 2 * 86400; ++tick) {  // a day, two reports a second
    kept += filter.Keep(At(0, 1), start + tick * absl::Milliseconds(500)) ? 1 : 0;
  }
  EXPECT_GT(kept, 1000);
  EXPECT_LT(kept, 6000);
}

}  // namespace
}  // namespace kwta::server
