#include "tests/server/store_sweep/job_service.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "core/io/model_bundle.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/models/model_directory.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/jobs/watch_job.h"
#include "tests/server/models/bundles.h"

namespace kwta::testing {
namespace {

// No job takes so long.
constexpr absl::Duration kStuck = absl::Seconds(60);

}  // namespace

JobService::JobService(const std::string& directory) {
  std::filesystem::create_directory(directory + "/models");
  std::filesystem::create_directory(directory + "/jobs");
  store_ = server::OpenSqliteJobStore(directory + "/kwta.db").value();
  server::ModelDirectory(directory + "/models").RemoveDebris(absl::ZeroDuration());
  models_ = server::ModelManager::Open(
                directory + "/models", server::ModelManagerOptions(),
                [](const ModelBundle&) { return std::make_shared<server::FakeEncoder>(2, 4); }, server::IgnoreEvents())
                .value();
  journal_ = std::make_unique<server::JobJournal>(store_.get(), server::JobJournal::Events());
  server::JobRunnerOptions options;
  options.trainer_program = KWTA_FAKE_TRAINER;
  options.jobs_directory = directory + "/jobs";
  options.trainer_niceness = 0;  // trainers must not starve beside other tests
  runner_ = std::make_unique<server::JobRunner>(options, journal_.get(), models_.get(), &metrics_);
  runner_->Start();
}

JobService::~JobService() { runner_.reset(); }

v1::Job JobService::Train(const std::string& id) {
  v1::JobSpec spec;
  spec.set_model("good");
  while (!runner_->Submit(id, spec).ok()) {
  }
  const SteadyTime give_up = SteadyTime::Now() + kStuck;
  const absl::Status watched = WatchJob(
      *journal_, id, 0, [](const v1::JobEvent&) { return true; }, [give_up] { return SteadyTime::Now() < give_up; });
  EXPECT_TRUE(watched.ok()) << watched;
  return store_->Get(id).value();
}

std::multimap<std::string, uint64_t> VersionsByJob(const std::string& directory) {
  std::multimap<std::string, uint64_t> versions;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/models/good", error)) {
    const auto description = ReadModelDescription(entry.path().string());
    const std::string name = entry.path().filename().string();
    if (description.ok() && name[0] != '.') versions.emplace(description->job_id(), std::stoull(name));
  }
  return versions;
}

}  // namespace kwta::testing
