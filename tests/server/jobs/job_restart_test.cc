// What a server that starts makes of the jobs of the one before.
#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/io/model_bundle.h"
#include "server/jobs/job_events.h"
#include "tests/server/jobs/job_runner_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class JobRestartTest : public JobRunnerTest {};

TEST_F(JobRestartTest, StoppingInterruptsAndTheNextStartGoesOn) {
  runner_->Start();
  ASSERT_TRUE(Submit("a", "patient").ok());
  AwaitProgress("a");
  ASSERT_TRUE(Submit("b", "good").ok());
  runner_->BeginStop();
  EXPECT_EQ(Submit("c", "good").code(), absl::StatusCode::kUnavailable);
  runner_->FinishStop();
  EXPECT_THAT(States("a"), ElementsAre("QUEUED", "RUNNING", "progress", "QUEUED"));
  EXPECT_THAT(States("b"), ElementsAre("QUEUED"));

  OpenAndStart();
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.attempts(), 2);
  EXPECT_EQ(Ended("b").state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(JobRestartTest, WhatADeadServerLeftIsRemoved) {
  ASSERT_TRUE(Submit("over", "good").ok());
  ASSERT_TRUE(journal_->Append("over", SucceededEvent(1, absl::Now())).ok());
  options_.max_running_jobs = 0;
  ASSERT_TRUE(Submit("waits", "patient").ok());
  for (const char* file : {"jobs/over/checkpoint", "jobs/waits/checkpoint", "jobs/waits/.checkpoint.tmp-1-0",
                           "jobs/unknown/checkpoint", "jobs/kept/.bundle.tmp-1-0"}) {
    std::filesystem::create_directories(std::filesystem::path(directory_.File(file)).parent_path());
    directory_.Write(file, "x");
  }
  WriteTestBundle(directory_.path(), "jobs/kept/bundle", "good", "kept");
  OpenAndStart();
  EXPECT_FALSE(std::filesystem::exists(directory_.File("jobs/over")));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("jobs/unknown")));
  EXPECT_THAT(FilesOf("waits"), ElementsAre("checkpoint"));
  EXPECT_THAT(FilesOf("kept"), ElementsAre("bundle")) << "of a job that the store does not know";
}

TEST_F(JobRestartTest, ACheckpointThatNoJobCanBeGivenAnyMoreIsRemoved) {
  const auto failed = [this](const std::string& id) {
    ASSERT_TRUE(Submit(id, "starved").ok());
    const absl::Status error = absl::ResourceExhaustedError("no memory");
    ASSERT_TRUE(journal_->Append(id, FailedEvent(error, absl::Now())).ok());
  };
  options_.max_running_jobs = 0;
  Open();
  directory_.Write("jobs/first/checkpoint", "x");
  failed("first");
  for (int i = 0; i < 99; ++i) failed(absl::StrCat("job", i));
  OpenAndStart();
  EXPECT_THAT(FilesOf("first"), ElementsAre("checkpoint"));
  failed("last");
  directory_.Write("jobs/last/checkpoint", "x");
  OpenAndStart();
  EXPECT_FALSE(std::filesystem::exists(directory_.File("jobs/first")));
  EXPECT_THAT(FilesOf("last"), ElementsAre("checkpoint"));
}

TEST_F(JobRestartTest, AJobThatWasRunningWhenTheServerDiedIsTakenUp) {
  ASSERT_TRUE(Submit("a", "good").ok());
  ASSERT_TRUE(journal_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::Now())).ok());
  OpenAndStart();
  EXPECT_EQ(Ended("a").attempts(), 2);
}

TEST_F(JobRestartTest, AModelThatWasPublishedBeforeTheServerDiedIsNotTrainedAgain) {
  ASSERT_TRUE(Submit("a", "failing").ok());
  ASSERT_TRUE(journal_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::Now())).ok());
  WriteTestBundle(directory_.path(), "models/failing/4", "failing", "a");
  OpenAndStart();
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.model_version(), 4);
}

TEST_F(JobRestartTest, ABundleThatWasNotPublishedBeforeTheServerDiedIsPublished) {
  ASSERT_TRUE(Submit("a", "failing").ok());
  ASSERT_TRUE(journal_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::Now())).ok());
  WriteTestBundle(directory_.path(), "jobs/a/bundle", "failing", "a");
  OpenAndStart();
  EXPECT_EQ(Ended("a").model_version(), 1);
}

TEST_F(JobRestartTest, ABundleWhoseCopyWasPublishedBeforeTheServerDiedIsNotPublishedAgain) {
  ASSERT_TRUE(Submit("a", "failing").ok());
  ASSERT_TRUE(journal_->Append("a", StateEvent(v1::JOB_STATE_RUNNING, absl::Now())).ok());
  WriteTestBundle(directory_.path(), "jobs/a/bundle", "failing", "a");
  WriteTestBundle(directory_.path(), "models/failing/4", "failing", "a");
  OpenAndStart();
  EXPECT_EQ(Ended("a").model_version(), 4);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("models/failing/5")));
  EXPECT_FALSE(std::filesystem::exists(directory_.File("jobs/a")));
}

TEST_F(JobRestartTest, AnIdWhoseModelIsThereAlthoughTheStoreLostItsJobIsRefused) {
  WriteTestBundle(directory_.path(), "jobs/kept/bundle", "other", "kept");
  WriteTestBundle(directory_.path(), "models/good/4", "good", "published");
  OpenAndStart();
  absl::Status status = Submit("kept", "good");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("job_id 'kept' is that of an earlier job"),
                                                   HasSubstr(directory_.File("jobs/kept/bundle"))));
  EXPECT_TRUE(ReadModelBundle(directory_.File("jobs/kept/bundle")).ok());
  status = Submit("published", "good");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version 4 of model 'good' is of it"));
  ASSERT_TRUE(Submit("free", "good").ok());
  EXPECT_EQ(Ended("free").model_version(), 5);
  EXPECT_TRUE(Submit("free", "good").ok()) << "a repeated request";
}

}  // namespace
}  // namespace kwta::server
