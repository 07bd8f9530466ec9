#include "server/jobs/job_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/io/model_bundle.h"
#include "server/jobs/job_events.h"
#include "server/retry_after.h"
#include "tests/server/jobs/job_runner_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

TEST_F(JobRunnerTest, AGoodJobPublishesItsModelAndCleansUp) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "good").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.model_version(), 1);
  EXPECT_EQ(job.attempts(), 1);
  EXPECT_EQ(job.progress().epochs_done(), 3);
  EXPECT_THAT(States("a"), ElementsAre("QUEUED", "RUNNING", "progress", "progress", "progress", "SUCCEEDED"));
  EXPECT_EQ(models_->Get({"good", 0}).value()->description.job_id(), "a");
  runner_.reset();
  EXPECT_FALSE(std::filesystem::exists(directory_.File("jobs/a")));
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("kwta_job_epoch{")));
}

TEST_F(JobRunnerTest, AReportedFailureKeepsItsCodeAndWords) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "failing").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kNotFound));
  EXPECT_EQ(job.error().message(), "there are no such rows");
}

TEST_F(JobRunnerTest, AJobThatLackedMemoryKeepsItsCheckpointForAnotherOfItsSpec) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "starved").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(job.error().message(),
            "no device memory for 4096 bytes; its checkpoint is kept: the next job of the same spec goes on from it");
  OpenAndStart();  // after the directories are cleared
  EXPECT_THAT(FilesOf("a"), UnorderedElementsAre("checkpoint", "trainer.log"));
  ASSERT_TRUE(Submit("other", "good").ok());
  EXPECT_EQ(Ended("other").state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(FilesOf("a"), UnorderedElementsAre("checkpoint", "trainer.log"));
  ASSERT_TRUE(Submit("b", "starved").ok());
  EXPECT_EQ(Ended("b").state(), v1::JOB_STATE_SUCCEEDED) << Ended("b").error().message();
  EXPECT_THAT(FilesOf("a"), ElementsAre("trainer.log"));
}

TEST_F(JobRunnerTest, ACrashIsAFailureThatNamesTheSignal) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "crashing").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_THAT(job.error().message(), AllOf(HasSubstr("killed by signal 9"), HasSubstr("nothing to its log"),
                                           HasSubstr("where memory is short")));
  EXPECT_EQ(job.attempts(), 3) << "whoever kills it may not do so again";
}

TEST_F(JobRunnerTest, AJobWhoseTrainerIsKilledAgainAndAgainKeepsItsCheckpointForAnotherOfItsSpec) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "hunted").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.attempts(), 3);
  EXPECT_THAT(job.error().message(),
              AllOf(HasSubstr("killed by signal 9"),
                    EndsWith("; its checkpoint is kept: the next job of the same spec goes on from it")));
  OpenAndStart();  // after the directories are cleared
  EXPECT_THAT(FilesOf("a"), UnorderedElementsAre("checkpoint", "trainer.log"));
  ASSERT_TRUE(Submit("b", "hunted").ok());
  const v1::Job next = Ended("b");
  EXPECT_EQ(next.state(), v1::JOB_STATE_SUCCEEDED) << next.error().message();
  EXPECT_EQ(next.attempts(), 1);
  EXPECT_THAT(FilesOf("a"), ElementsAre("trainer.log"));
}

TEST_F(JobRunnerTest, ATrainerThatWasKilledGoesOn) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "unlucky").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempts(), 2);
}

TEST_F(JobRunnerTest, AModelThatCannotBePublishedIsKept) {
  directory_.Write("models/good/last_version", "many");
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "good").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kDataLoss));
  const std::string bundle = directory_.File("jobs/a/bundle");
  EXPECT_THAT(job.error().message(),
              AllOf(HasSubstr("last_version' holds 'many'"), HasSubstr(absl::StrCat("mv '", bundle, "'")),
                    HasSubstr(directory_.File("models/good"))));
  runner_.reset();
  EXPECT_THAT(FilesOf("a"), UnorderedElementsAre("bundle", "trainer.log"));
  OpenAndStart();  // which cleans up
  EXPECT_THAT(FilesOf("a"), UnorderedElementsAre("bundle", "trainer.log"));
  EXPECT_TRUE(ReadModelBundle(bundle).ok());
}

TEST_F(JobRunnerTest, AnEarlyExitIsAFailureThatQuotesTheLog) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "silent").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_THAT(job.error().message(), AllOf(HasSubstr("exited with code 7"), HasSubstr("out of ideas")));
  runner_.reset();
  EXPECT_THAT(FilesOf("a"), ElementsAre("trainer.log"));
}

TEST_F(JobRunnerTest, GarbageOnThePipeEndsTheTrainer) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "garbage").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.error().code(), static_cast<int>(absl::StatusCode::kInternal));
  EXPECT_THAT(job.error().message(), HasSubstr("not a report"));
}

TEST_F(JobRunnerTest, AProcessThatTheTrainerLeftBehindDoesNotHoldTheJob) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "leaving").ok());
  EXPECT_THAT(Ended("a").error().message(), HasSubstr("exited with code 0 without a final report"));
}

TEST_F(JobRunnerTest, TheTrainerInheritsFourDescriptorsNiceAndNoBlockedSignals) {
  options_.trainer_niceness = 7;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // as the server's main does
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "nosy").ok());
  EXPECT_EQ(Ended("a").error().message(), "descriptors 0 1 2 3, nice 7");
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

TEST_F(JobRunnerTest, TheNicestTrainerRunsOnWhatNobodyElseWants) {
  options_.trainer_niceness = 19;
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "nosy").ok());
  EXPECT_THAT(Ended("a").error().message(), HasSubstr("nice 19, idle"));
}

TEST_F(JobRunnerTest, AMissingTrainerFailsTheJobWithAdvice) {
  options_.trainer_program = directory_.File("no-such-trainer");
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "good").ok());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(job.error().message(), AllOf(HasSubstr("no-such-trainer"), HasSubstr("--trainer")));
}

TEST_F(JobRunnerTest, CancelsAQueuedJobAtOnce) {
  ASSERT_TRUE(Submit("a", "good").ok());
  EXPECT_EQ(runner_->Cancel("a").value().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(runner_->Cancel("a").value().state(), v1::JOB_STATE_CANCELLED) << "again is fine";
  runner_->Start();
  ASSERT_TRUE(Submit("b", "good").ok());
  Ended("b");
  EXPECT_THAT(States("a"), ElementsAre("QUEUED", "CANCELLED"));
}

TEST_F(JobRunnerTest, CancelsARunningJobAndFreesItsPlace) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "patient").ok());
  AwaitProgress("a");
  EXPECT_EQ(runner_->Cancel("a").value().state(), v1::JOB_STATE_CANCELLED);
  ASSERT_TRUE(Submit("b", "good").ok());
  EXPECT_EQ(Ended("b").state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(States("a"), ElementsAre("QUEUED", "RUNNING", "progress", "CANCELLED"));
  EXPECT_THAT(FilesOf("a"), IsEmpty());
}

TEST_F(JobRunnerTest, ATrainerThatDoesNotListenIsKilled) {
  options_.stop_grace = absl::Milliseconds(1);
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "stubborn").ok());
  AwaitProgress("a");
  ASSERT_TRUE(runner_->Cancel("a").ok());
  ASSERT_TRUE(Submit("b", "good").ok());
  EXPECT_EQ(Ended("b").state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobRunnerTest, WhatHasEndedCannotBeCancelled) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "failing").ok());
  Ended("a");
  const absl::Status status = runner_->Cancel("a").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(runner_->Cancel("nobody").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(JobRunnerTest, SubmittingTwiceRunsOnce) {
  ASSERT_TRUE(Submit("a", "good").ok());
  ASSERT_TRUE(Submit("a", "good").ok());
  EXPECT_EQ(Submit("a", "failing").code(), absl::StatusCode::kAlreadyExists);
  runner_->Start();
  ASSERT_TRUE(Submit("b", "good").ok());
  Ended("b");
  EXPECT_EQ(Ended("a").attempts(), 1);
}

TEST_F(JobRunnerTest, AFullQueueTakesNoMoreButKnowsItsJobs) {
  options_.max_running_jobs = 0;
  options_.max_queued_jobs = 2;
  OpenAndStart();
  ASSERT_TRUE(Submit("a", "good").ok());
  ASSERT_TRUE(Submit("b", "good").ok());
  for (const char* id : {"c", ""}) {
    const absl::Status full = Submit(id, "good");
    EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(full.message()), AllOf(HasSubstr("2 jobs wait"), HasSubstr("--max-queued-jobs")));
    EXPECT_TRUE(RetryAfter(full).has_value());
  }
  EXPECT_EQ(store_->Get("c").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Submit("a", "good").ok()) << "the same request again";
  EXPECT_EQ(Submit("a", "patient").code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(runner_->Cancel("a").ok());
  EXPECT_TRUE(Submit("c", "good").ok());
  EXPECT_EQ(Submit("d", "good").code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(JobRunnerTest, AJobWithoutAnIdGetsOne) {
  v1::JobSpec spec;
  spec.set_model("good");
  const v1::Job first = runner_->Submit("", spec).value();
  const v1::Job second = runner_->Submit("", spec).value();
  EXPECT_THAT(first.id(), HasSubstr("job-"));
  EXPECT_NE(first.id(), second.id());
}

}  // namespace
}  // namespace kwta::server
