// One job after the other, each with another call failing of those that write its record or its version: whatever
// fails, and for however long, record and version agree in the end, and no job is left behind.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "core/base/steady_time.h"
#include "core/io/model_bundle.h"
#include "server/jobs/job_events.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/metrics/metrics.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/jobs/watch_job.h"
#include "tests/server/models/bundles.h"
#include "tests/server/store_sweep/faulty_calls.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using kwta::testing::CallsMade;
using kwta::testing::FailCalls;
using kwta::testing::LastFailure;
using kwta::testing::WatchCalls;

// Every call if the environment's KWTA_SWEEP is "all"; every so many of them otherwise.
int Stride() {
  const char* sweep = std::getenv("KWTA_SWEEP");
  return sweep != nullptr && std::string(sweep) == "all" ? 1 : 5;
}

// No job takes so long.
constexpr absl::Duration kStuck = absl::Seconds(60);

class StoreSweepTest : public ::testing::Test {
 protected:
  StoreSweepTest() {
    std::filesystem::create_directory(directory_.File("models"));
    std::filesystem::create_directory(directory_.File("jobs"));
    store_ = OpenSqliteJobStore(directory_.File("kwta.db")).value();
    models_ = ModelManager::Open(
                  directory_.File("models"), ModelManagerOptions(),
                  [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, IgnoreEvents())
                  .value();
    journal_ = std::make_unique<JobJournal>(store_.get(), JobJournal::Events());
    JobRunnerOptions options;
    options.trainer_program = KWTA_FAKE_TRAINER;
    options.jobs_directory = directory_.File("jobs");
    runner_ = std::make_unique<JobRunner>(options, journal_.get(), models_.get(), &metrics_);
    runner_->Start();
    WatchCalls(directory_.path());
  }
  ~StoreSweepTest() override {
    WatchCalls("");
    runner_.reset();
  }

  // Trains a model to its end, or until it has taken so long that it is stuck; what cannot be submitted is submitted
  // again.
  v1::Job Train() {
    v1::JobSpec spec;
    spec.set_model("good");
    const std::string id = absl::StrCat("job-", ++jobs_);
    while (!runner_->Submit(id, spec).ok()) {
    }
    const SteadyTime give_up = SteadyTime::Now() + kStuck;
    const absl::Status watched = WatchJob(
        *journal_, id, 0, [](const v1::JobEvent&) { return true; }, [give_up] { return SteadyTime::Now() < give_up; });
    EXPECT_TRUE(watched.ok()) << watched;
    return store_->Get(id).value();
  }

  // Versions on disk by the job that made them.
  std::multimap<std::string, uint64_t> Versions() {
    std::multimap<std::string, uint64_t> versions;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.File("models/good"), error)) {
      const auto description = ReadModelDescription(entry.path().string());
      const std::string name = entry.path().filename().string();
      if (description.ok() && name[0] != '.') versions.emplace(description->job_id(), std::stoull(name));
    }
    return versions;
  }

  void Sweep(int count, int error) {
    FailCalls(0, 0, 0);
    ASSERT_EQ(Train().state(), v1::JOB_STATE_SUCCEEDED);
    const int calls = CallsMade();
    ASSERT_GT(calls, 30) << "calls are counted";
    int jobs = 0, stuck = 0, failed_with_version = 0, doubled = 0, lost = 0;
    for (int first = 1; first <= calls; first += Stride()) {
      FailCalls(first, count, error);
      const v1::Job job = Train();
      const std::string what =
          absl::StrCat(job.id(), ", call ", first, " of ", calls, ", ", LastFailure(), ": ", job.error().message());
      FailCalls(0, 0, 0);
      const std::multimap<std::string, uint64_t> versions = Versions();
      const size_t published = versions.count(job.id());
      ++jobs;
      stuck += !IsFinal(job.state());
      failed_with_version += job.state() == v1::JOB_STATE_FAILED && published != 0;
      doubled += published > 1;
      lost += job.state() == v1::JOB_STATE_SUCCEEDED && published == 0;
      EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << what;
      ASSERT_EQ(published, 1u) << what;
      EXPECT_EQ(versions.find(job.id())->second, job.model_version()) << what;
      EXPECT_TRUE(models_->Get({"good", job.model_version()}).ok()) << what;
    }
    // The last job is seen to have ended a moment before it is known that the store works.
    while (!runner_->trouble().ok()) std::this_thread::yield();
    // scripts/proofs/store_faults adds these up.
    std::cout << "swept jobs=" << jobs << " stuck=" << stuck << " failed_with_version=" << failed_with_version
              << " doubled=" << doubled << " lost=" << lost << std::endl;
  }

  TemporaryDirectory directory_;
  int jobs_ = 0;
  Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  std::unique_ptr<JobStore> store_;
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<JobJournal> journal_;
  std::unique_ptr<JobRunner> runner_;
};

TEST_F(StoreSweepTest, AFullDiskForOneCall) { Sweep(1, ENOSPC); }
TEST_F(StoreSweepTest, AnErrorOfTheDeviceForOneCall) { Sweep(1, EIO); }
TEST_F(StoreSweepTest, AFullDiskForSeveralCalls) { Sweep(4, ENOSPC); }

}  // namespace
}  // namespace kwta::server
