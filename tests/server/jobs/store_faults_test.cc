// Jobs while the store, or the directory of models, cannot be written for a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/jobs/job_runner.h"
#include "server/jobs/reopening_job_store.h"
#include "server/jobs/sqlite_job_store.h"
#include "tests/server/jobs/faulty_job_store.h"
#include "tests/server/jobs/job_runner_fixture.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

const absl::Status kFull = absl::ResourceExhaustedError("no room");

class StoreFaultsTest : public JobRunnerTest {
 protected:
  // Nothing counts any more once this part is gone.
  ~StoreFaultsTest() override {
    runner_.reset();
    journal_.reset();
  }

  std::unique_ptr<JobStore> OpenStore() override {
    auto faulty = std::make_unique<FaultyJobStore>(JobRunnerTest::OpenStore());
    faulty_ = faulty.get();
    return faulty;
  }
  JobJournal::Events JournalEvents() override {
    JobJournal::Events events;
    events.not_stored = [this](const absl::Status&) { ++not_stored_; };
    return events;
  }

  std::vector<uint64_t> Versions(const std::string& model) {
    std::vector<uint64_t> versions;
    const ModelInfo info = models_->Info(model).value();
    for (const ModelVersionInfo& each : info.versions) versions.push_back(each.version);
    return versions;
  }

  std::atomic<int> not_stored_{0};
  FaultyJobStore* faulty_ = nullptr;  // store_
};

TEST_F(StoreFaultsTest, TroubleIsToldWhileTheStoreIsBusy) {
  // The journal calls this from within Cancel, as late as the store answers it.
  JobRunner* asked = nullptr;
  int times = 0;
  JobJournal::Events events;
  events.changed = [&](const v1::Job&) {
    EXPECT_EQ(asked->trouble(), absl::OkStatus());
    ++times;
  };
  JobJournal journal(store_.get(), std::move(events));
  JobRunner runner(options_, &journal, models_.get(), &metrics_);
  asked = &runner;
  ASSERT_TRUE(runner.Submit("a", v1::JobSpec()).ok());
  ASSERT_TRUE(runner.Cancel("a").ok());
  EXPECT_EQ(times, 2);
}

TEST_F(StoreFaultsTest, AStartThatCannotBeStoredWaits) {
  runner_->Start();
  faulty_->FailEvents(v1::JOB_STATE_RUNNING, kFull);
  ASSERT_TRUE(Submit("a").ok());
  faulty_->AwaitFailures(2);
  EXPECT_EQ(runner_->trouble(), kFull);
  EXPECT_GT(not_stored_, 0);
  faulty_->FailEvents(v1::JOB_STATE_RUNNING, absl::OkStatus());
  EXPECT_EQ(Ended("a").state(), v1::JOB_STATE_SUCCEEDED);
  while (!runner_->trouble().ok()) std::this_thread::yield();  // as long as the test may take
}

TEST_F(StoreFaultsTest, AnEndThatCannotBeStoredFollowsTheVersion) {
  runner_->Start();
  faulty_->FailEvents(v1::JOB_STATE_SUCCEEDED, kFull);
  ASSERT_TRUE(Submit("a").ok());
  faulty_->AwaitFailures(2);
  EXPECT_EQ(Versions("good"), std::vector<uint64_t>{1});
  EXPECT_EQ(runner_->Cancel("a").status().code(), absl::StatusCode::kFailedPrecondition)
      << "a cancelled job has no version";
  faulty_->FailEvents(v1::JOB_STATE_SUCCEEDED, absl::OkStatus());
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.model_version(), 1);
  EXPECT_EQ(Versions("good"), std::vector<uint64_t>{1});
}

TEST_F(StoreFaultsTest, AnEndIsStoredAtTheLatestWhenTheServerStops) {
  runner_->Start();
  faulty_->FailEvents(v1::JOB_STATE_SUCCEEDED, kFull);
  ASSERT_TRUE(Submit("a").ok());
  faulty_->AwaitFailures(4);  // pauses have grown
  faulty_->FailEvents(v1::JOB_STATE_SUCCEEDED, absl::OkStatus());
  runner_.reset();
  EXPECT_EQ(store_->Get("a")->state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(StoreFaultsTest, AnEndThatWasNeverStoredIsFoundAtTheNextStart) {
  runner_->Start();
  faulty_->FailEvents(v1::JOB_STATE_SUCCEEDED, kFull);
  ASSERT_TRUE(Submit("a").ok());
  faulty_->AwaitFailures(1);
  runner_.reset();
  EXPECT_EQ(store_->Get("a")->state(), v1::JOB_STATE_RUNNING);
  Open();
  runner_->Start();
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.model_version(), 1);
  EXPECT_EQ(job.attempts(), 1) << "it was not trained again";
  EXPECT_EQ(Versions("good"), std::vector<uint64_t>{1});
}

TEST_F(StoreFaultsTest, AVersionThatCannotBeWrittenWaits) {
  directory_.Write("models/good", "a file where the model's directory shall be");
  runner_->Start();
  ASSERT_TRUE(Submit("a").ok());
  while (runner_->trouble().ok()) std::this_thread::yield();
  EXPECT_THAT(std::string(runner_->trouble().message()), HasSubstr(directory_.File("models/good")));
  EXPECT_EQ(store_->Get("a")->state(), v1::JOB_STATE_RUNNING);
  std::filesystem::remove(directory_.File("models/good"));
  const v1::Job job = Ended("a");
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.model_version(), 1);
}

TEST_F(StoreFaultsTest, AVersionThatWaitsIsPublishedByTheNextServer) {
  directory_.Write("models/good", "a file where the model's directory shall be");
  runner_->Start();
  ASSERT_TRUE(Submit("a").ok());
  while (runner_->trouble().ok()) std::this_thread::yield();
  runner_.reset();
  std::filesystem::remove(directory_.File("models/good"));
  Open();
  runner_->Start();
  EXPECT_EQ(Ended("a").model_version(), 1);
}

TEST_F(StoreFaultsTest, JobsAreTakenUpOnceTheStoreCanBeRead) {
  ASSERT_TRUE(Submit("a").ok());
  faulty_->FailReads(absl::UnavailableError("no device"));
  runner_->Start();
  EXPECT_THAT(std::string(runner_->trouble().message()), HasSubstr("no device"));
  faulty_->AwaitFailures(2);
  faulty_->FailReads(absl::OkStatus());
  EXPECT_EQ(Ended("a").state(), v1::JOB_STATE_SUCCEEDED);
  while (!runner_->trouble().ok()) std::this_thread::yield();  // as long as the test may take
}

TEST_F(StoreFaultsTest, WhatIsNotStoredIsNotTaken) {
  runner_->Start();
  faulty_->FailWrites(kFull);
  EXPECT_EQ(Submit("a"), kFull);
  faulty_->FailWrites(absl::OkStatus());
  EXPECT_EQ(store_->Get("a").status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Submit("a").ok());
  EXPECT_EQ(Ended("a").attempts(), 1);
}

TEST(ReopeningJobStoreTest, OpensWhenItCan) {
  TemporaryDirectory directory;
  directory.Write("kwta.db", "this is no database, however long it is looked at");
  const std::string path = directory.File("kwta.db");
  const auto store = OpenWhenPossible([path] { return OpenSqliteJobStore(path); });
  const absl::Status closed = store->Count().status();
  EXPECT_EQ(closed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(closed.message()), HasSubstr("the job store cannot be opened"));
  EXPECT_EQ(store->Get("a").status(), closed);
  std::filesystem::remove(path);
  while (!store->Count().ok()) std::this_thread::yield();  // as long as the test may take
  EXPECT_EQ(store->Get("a").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace kwta::server
