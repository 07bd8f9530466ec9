#include "client/cli/terminal/progress_bar.h"

#include <gmock/gmock.h>

namespace kwta::client::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::TrainingProgress Progress() {
  v1::TrainingProgress progress;
  progress.set_epochs_done(13);
  progress.set_epochs(30);
  progress.set_fraction(0.4321);
  progress.set_loss(12.345678);
  progress.set_fraction_variance_unexplained(0.21345);
  progress.set_images_per_second(18249.7);
  progress.set_images_done(780'000);
  progress.set_k(25);
  progress.set_dead_units(3);
  progress.set_units(1000);
  progress.set_dead_window_rows(60'000);
  progress.set_eta_seconds(12);
  return progress;
}

TEST(ProgressText, SaysEverything) {
  EXPECT_EQ(ProgressText(Progress()),
            "epoch 13/30  loss 12.35  unexplained 0.2135  18,250 images/s  k 25  dead 3/1000  ETA 12 s");
}

TEST(ProgressText, SaysIfOthersTakeMostOfTheTrainersTime) {
  v1::TrainingProgress progress = Progress();
  progress.set_threads(2);
  progress.set_processor_share(0.5);
  EXPECT_THAT(ProgressText(progress), Not(HasSubstr("thread")));
  progress.set_processor_share(0.12);
  EXPECT_THAT(ProgressText(progress), HasSubstr("running on 12% of 2 threads"));
  EXPECT_THAT(ProgressLine(progress, 60), HasSubstr("running on 12% of 2 threads")) << "among the last to go";
}

TEST(ProgressText, LeavesOutWhatIsNotKnownYet) {
  v1::TrainingProgress progress;
  progress.set_epochs(30);
  progress.set_k(100);
  EXPECT_EQ(ProgressText(progress), "epoch 0/30  k 100");
}

TEST(ProgressText, SaysOfFineTuningHowOftenItIsWrong) {
  v1::TrainingProgress progress;
  progress.set_epochs_done(3);
  progress.set_epochs(80);
  progress.set_images_done(180'000);
  progress.set_images_per_second(18249.7);
  EXPECT_EQ(ProgressText(progress), "epoch 3/80  classifier alone  18,250 images/s");
  progress.set_loss(0.012345);
  progress.set_training_error(0.00312);
  EXPECT_EQ(ProgressText(progress), "epoch 3/80  loss 0.01235  wrong 0.31%  18,250 images/s");
}

TEST(ProgressLine, FillsTheBarToTheFractionDone) {
  const std::string line = ProgressLine(Progress(), 200);
  EXPECT_THAT(line, StartsWith("[#################-----------------------]  43%  epoch 13/30"));
}

TEST(ProgressLine, ShrinksTheBarFirst) {
  const size_t text = ProgressText(Progress()).size();
  const std::string narrow = ProgressLine(Progress(), static_cast<int>(text) + 9 + 15);
  EXPECT_EQ(narrow.size(), text + 9 + 15);
  EXPECT_THAT(narrow, HasSubstr("ETA 12 s"));
}

TEST(ProgressLine, KeepsTheTimeLeftAndTheDeadUnits) {
  EXPECT_EQ(ProgressLine(Progress(), 99),
            "[##########--------------]  43%  epoch 13/30  loss 12.35  unexplained 0.2135  dead 3/1000  ETA 12 s");
  EXPECT_EQ(ProgressLine(Progress(), 79),
            "[######----------]  43%  epoch 13/30  unexplained 0.2135  dead 3/1000  ETA 12 s");
  EXPECT_EQ(ProgressLine(Progress(), 60), " 43%  epoch 13/30  unexplained 0.2135  dead 3/1000  ETA 12 s");
  EXPECT_EQ(ProgressLine(Progress(), 40), " 43%  epoch 13/30  dead 3/1000  ETA 12 s");
  EXPECT_EQ(ProgressLine(Progress(), 30), " 43%  epoch 13/30  ETA 12 s");
  EXPECT_EQ(ProgressLine(Progress(), 20), " 43%  epoch 13/30");
  EXPECT_EQ(ProgressLine(Progress(), 8), " 43%  ep");
}

TEST(ProgressLine, NeverPassesTheColumns) {
  v1::TrainingProgress progress = Progress();
  progress.set_eta_seconds(100'000);
  progress.set_images_per_second(12'345'678);
  for (int columns = 0; columns < 200; ++columns) {
    EXPECT_LE(static_cast<int>(ProgressLine(progress, columns).size()), columns);
  }
}

TEST(ProgressLine, StaysInRangeWhateverTheServerSays) {
  v1::TrainingProgress progress;
  progress.set_fraction(7);
  EXPECT_THAT(ProgressLine(progress, 80), HasSubstr("#] 100%"));
  progress.set_fraction(-1);
  EXPECT_THAT(ProgressLine(progress, 80), HasSubstr("-]   0%"));
  EXPECT_EQ(ProgressLine(progress, 0), "");
}

}  // namespace
}  // namespace kwta::client::cli
