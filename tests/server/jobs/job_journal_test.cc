#include "server/jobs/job_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/jobs/job_events.h"
#include "server/jobs/sqlite_job_store.h"
#include "tests/server/jobs/watch_job.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JobJournalTest : public ::testing::Test {
 protected:
  JobJournalTest()
      : store_(OpenSqliteJobStore(directory_.File("kwta.db")).value()), journal_(store_.get(), JobJournal::Events()) {
    EXPECT_TRUE(journal_.Create("a", v1::JobSpec(), now_).ok());
  }

  absl::Status Append(v1::JobState state) { return journal_.Append("a", StateEvent(state, now_)).status(); }
  absl::Status Watch(uint64_t after, std::vector<uint64_t>* seen) {
    return WatchJob(
        journal_, "a", after,
        [seen](const v1::JobEvent& event) {
          seen->push_back(event.sequence());
          return true;
        },
        [] { return true; });
  }

  const absl::Time now_ = absl::FromUnixSeconds(1000);
  TemporaryDirectory directory_;
  std::unique_ptr<JobStore> store_;
  JobJournal journal_;
};

TEST_F(JobJournalTest, WatchGivesThePastOfAJobThatHasEnded) {
  ASSERT_TRUE(Append(v1::JOB_STATE_RUNNING).ok());
  ASSERT_TRUE(Append(v1::JOB_STATE_CANCELLED).ok());
  std::vector<uint64_t> all, rest, none;
  EXPECT_TRUE(Watch(0, &all).ok());
  EXPECT_TRUE(Watch(2, &rest).ok());
  EXPECT_TRUE(Watch(1000, &none).ok()) << "a number beyond the last is fine";
  EXPECT_THAT(all, ElementsAre(1, 2, 3));
  EXPECT_THAT(rest, ElementsAre(3));
  EXPECT_THAT(none, ElementsAre());
}

TEST_F(JobJournalTest, WatchFollowsAJobUntilItEnds) {
  std::vector<uint64_t> seen;
  absl::Notification first_seen;
  std::thread watcher([&] {
    EXPECT_TRUE(WatchJob(
                    journal_, "a", 0,
                    [&](const v1::JobEvent& event) {
                      seen.push_back(event.sequence());
                      if (event.sequence() == 1) first_seen.Notify();
                      return true;
                    },
                    [] { return true; })
                    .ok());
  });
  first_seen.WaitForNotification();
  ASSERT_TRUE(Append(v1::JOB_STATE_RUNNING).ok());
  ASSERT_TRUE(Append(v1::JOB_STATE_CANCELLED).ok());
  watcher.join();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST_F(JobJournalTest, WatchEndsWhenItsCallerGoesAway) {
  EXPECT_EQ(WatchJob(
                journal_, "a", 0, [](const v1::JobEvent&) { return false; }, [] { return true; })
                .code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(WatchJob(
                journal_, "a", 0, [](const v1::JobEvent&) { return true; }, [] { return false; })
                .code(),
            absl::StatusCode::kCancelled);
}

TEST_F(JobJournalTest, StopEndsWatchesAndSaysHowToGoOn) {
  journal_.Stop();
  std::vector<uint64_t> seen;
  const absl::Status status = Watch(0, &seen);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("after_sequence 1"));
  EXPECT_THAT(seen, ElementsAre(1));
}

TEST_F(JobJournalTest, WatchingAnUnknownJobIsNotFound) {
  EXPECT_EQ(WatchJob(
                journal_, "x", 0, [](const v1::JobEvent&) { return true; }, [] { return true; })
                .code(),
            absl::StatusCode::kNotFound);
}

TEST_F(JobJournalTest, FollowersAreToldOfTheirJobAlone) {
  ASSERT_TRUE(journal_.Create("b", v1::JobSpec(), now_).ok());
  int a = 0, b = 0;
  const JobJournal::Following of_a = journal_.Follow("a", [&a] { ++a; });
  {
    const JobJournal::Following of_b = journal_.Follow("b", [&b] { ++b; });
    ASSERT_TRUE(Append(v1::JOB_STATE_RUNNING).ok());
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 0);
    journal_.Stop();
    EXPECT_EQ(b, 1) << "it ends what waits";
  }
  ASSERT_TRUE(journal_.Append("b", StateEvent(v1::JOB_STATE_RUNNING, now_)).ok());
  EXPECT_EQ(b, 1) << "nobody follows any more";
  EXPECT_EQ(a, 2);
}

TEST_F(JobJournalTest, TellsOfChangesOfStateOnly) {
  std::vector<v1::JobState> told;
  JobJournal journal(store_.get(), {[&told](const v1::Job& job) { told.push_back(job.state()); }, nullptr});
  ASSERT_TRUE(journal.Create("b", v1::JobSpec(), now_).ok());
  ASSERT_TRUE(journal.Create("b", v1::JobSpec(), now_).ok());
  ASSERT_TRUE(journal.Append("b", StateEvent(v1::JOB_STATE_RUNNING, now_)).ok());
  ASSERT_TRUE(journal.Append("b", ProgressEvent(v1::TrainingProgress(), now_)).ok());
  EXPECT_THAT(told, ElementsAre(v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING));
}

}  // namespace
}  // namespace kwta::server
