#include "server/metrics/job_series.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/synchronization/notification.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

SteadyTime At(double seconds) { return SteadyTime::At(absl::Seconds(seconds)); }

class JobSeriesTest : public ::testing::Test {
 protected:
  std::string TextAt(double seconds) const {
    Collection collection;
    series_.Collect(At(seconds), &collection);
    return std::move(collection).Text();
  }
  static v1::TrainingProgress Epoch(uint32_t epoch) {
    v1::TrainingProgress progress;
    progress.set_epochs_done(epoch);
    return progress;
  }
  JobSeries series_;
};

TEST_F(JobSeriesTest, AJobsSeriesGoWithIt) {
  series_.Started("a", "digits", absl::Seconds(20), At(100));
  v1::TrainingProgress progress = Epoch(3);
  progress.set_loss(2.5);
  progress.set_k(40);
  progress.set_units(1000);
  progress.set_gradient_norm(0.75);
  progress.set_seconds_since_checkpoint(7);
  progress.set_processor_share(0.125);
  series_.Progress("a", progress, At(110));
  const std::string text = TextAt(114);
  EXPECT_THAT(text, HasSubstr("kwta_job_queue_seconds_bucket{le=\"10\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_queue_seconds_bucket{le=\"60\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_epoch{model=\"digits\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_loss{model=\"digits\"} 2.5\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_k{model=\"digits\"} 40\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_units{model=\"digits\"} 1000\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_gradient_norm{model=\"digits\"} 0.75\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_processor_share{model=\"digits\"} 0.125\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_checkpoint_age_seconds{model=\"digits\"} 11\n")) << "it grows between reports";
  EXPECT_THAT(text, HasSubstr("kwta_job_report_age_seconds{model=\"digits\"} 4\n"));
  series_.Stopped("a");
  EXPECT_THAT(TextAt(115), Not(HasSubstr("digits")));
  series_.Progress("a", progress, At(116));
  EXPECT_THAT(TextAt(117), Not(HasSubstr("digits"))) << "a late report brings nothing back";
}

TEST_F(JobSeriesTest, OfTwoJobsOfAModelTheLaterIsShownAndThenTheOther) {
  series_.Started("a", "digits", absl::ZeroDuration(), At(0));
  series_.Started("b", "digits", absl::ZeroDuration(), At(1));
  series_.Progress("b", Epoch(5), At(2));
  series_.Progress("a", Epoch(9), At(3));
  EXPECT_THAT(TextAt(4), HasSubstr("kwta_job_epoch{model=\"digits\"} 5\n"));
  series_.Stopped("b");
  EXPECT_THAT(TextAt(5), HasSubstr("kwta_job_epoch{model=\"digits\"} 9\n"));
}

TEST_F(JobSeriesTest, AFailedCountLeavesTheLastOne) {
  series_.Count([] { return JobCounts{1, 2, 3, 4, 5}; });
  series_.Count([]() -> absl::StatusOr<JobCounts> { return absl::UnavailableError("busy"); });
  const std::string text = TextAt(0);
  EXPECT_THAT(text, HasSubstr("kwta_jobs{state=\"queued\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_jobs{state=\"cancelled\"} 5\n"));
}

TEST_F(JobSeriesTest, AnOlderCountNeverReplacesANewerOne) {
  // The first count has seen 1 job when the second begins, and ends after the second has asked for its turn.
  uint32_t jobs = 1;
  absl::Notification counted, second_asks;
  std::thread first([&] {
    series_.Count([&] {
      const uint32_t seen = jobs;
      counted.Notify();
      second_asks.WaitForNotification();
      return JobCounts{seen};
    });
  });
  counted.WaitForNotification();
  jobs = 2;
  std::thread second([&] {
    second_asks.Notify();
    series_.Count([&] { return JobCounts{jobs}; });
  });
  first.join();
  second.join();
  EXPECT_THAT(TextAt(0), HasSubstr("kwta_jobs{state=\"queued\"} 2\n"));
}

TEST_F(JobSeriesTest, SaysThatTheStoreFails) {
  series_.StoreWriteFailed();
  series_.SetWaitingForStore(true);
  EXPECT_THAT(TextAt(0), HasSubstr("kwta_store_write_failures_total 1\n"));
  EXPECT_THAT(TextAt(0), HasSubstr("kwta_jobs_waiting_for_store 1\n"));
}

}  // namespace
}  // namespace kwta::server
