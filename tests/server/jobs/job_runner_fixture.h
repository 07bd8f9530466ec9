// A runner of jobs with a store, models and a fake trainer, for its tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "server/jobs/job_runner.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/metrics/metrics.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/jobs/watch_job.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {

class JobRunnerTest : public ::testing::Test {
 protected:
  JobRunnerTest() {
    std::filesystem::create_directory(directory_.File("models"));
    std::filesystem::create_directory(directory_.File("jobs"));
    options_.trainer_program = KWTA_FAKE_TRAINER;
    options_.jobs_directory = directory_.File("jobs");
    options_.stop_grace = absl::Seconds(60);
  }

  void SetUp() override { Open(); }

  // The store of the directory, which a fixture may wrap, and what its journal calls.
  virtual std::unique_ptr<JobStore> OpenStore() { return OpenSqliteJobStore(directory_.File("kwta.db")).value(); }
  virtual JobJournal::Events JournalEvents() { return JobJournal::Events(); }

  // Opens everything as a server that starts does, except for the runner's own start.
  void Open() {
    runner_.reset();
    journal_.reset();
    models_.reset();
    store_.reset();
    store_ = OpenStore();
    models_ = ModelManager::Open(
                  directory_.File("models"), ModelManagerOptions(),
                  [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, IgnoreEvents())
                  .value();
    journal_ = std::make_unique<JobJournal>(store_.get(), JournalEvents());
    runner_ = std::make_unique<JobRunner>(options_, journal_.get(), models_.get(), &metrics_);
  }

  void OpenAndStart() {
    Open();
    runner_->Start();
  }

  absl::Status Submit(const std::string& id, const std::string& model = "good") {
    v1::JobSpec spec;
    spec.set_model(model);
    return runner_->Submit(id, spec).status();
  }

  // The job once it has ended.
  v1::Job Ended(const std::string& id) {
    EXPECT_TRUE(WatchJob(
                    *journal_, id, 0, [](const v1::JobEvent&) { return true; }, [] { return true; })
                    .ok());
    return store_->Get(id).value();
  }

  // Returns when the job has reported progress.
  void AwaitProgress(const std::string& id, uint64_t after_sequence = 0) {
    EXPECT_TRUE(absl::IsCancelled(WatchJob(
        *journal_, id, after_sequence, [](const v1::JobEvent& event) { return !event.has_progress(); },
        [] { return true; })));
  }

  std::vector<std::string> States(const std::string& id) {
    std::vector<std::string> states;
    const std::vector<v1::JobEvent> events = store_->EventsAfter(id, 0, 1000).value();
    for (const v1::JobEvent& event : events) {
      states.push_back(event.has_progress() ? "progress" : v1::JobState_Name(event.state()).substr(10));
    }
    return states;
  }

  std::vector<std::string> FilesOf(const std::string& id) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.File("jobs/" + id), error)) {
      files.push_back(entry.path().filename().string());
    }
    return files;
  }

  TemporaryDirectory directory_;
  JobRunnerOptions options_;
  Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<JobJournal> journal_;
  std::unique_ptr<JobRunner> runner_;
};

}  // namespace kwta::server
