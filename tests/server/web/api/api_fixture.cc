#include "tests/server/web/api/api_fixture.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "core/io/model_bundle.h"
#include "server/jobs/sqlite_job_store.h"
#include "tests/server/models/bundles.h"
#include "tests/server/web/api/small_models.h"

namespace kwta::server {
namespace {

constexpr int64_t kMostMessageBytes = 1 << 20;

void WriteVersion(const TemporaryDirectory& directory, const std::string& path, const ModelBundle& bundle) {
  const std::filesystem::path target = directory.File(path);
  std::filesystem::create_directories(target.parent_path());
  EXPECT_EQ(WriteModelBundle(target.string(), bundle), absl::OkStatus());
}

}  // namespace

ApiWorld::ApiWorld() : store_(OpenSqliteJobStore(directory_.File("kwta.db")).value()) {
  WriteVersion(directory_, "models/brightness/1", BrightnessBundle());
  WriteVersion(directory_, "models/brightness/2", BrightnessBundle());
  WriteVersion(directory_, "models/maps/1", MapsBundle());
  ModelBundle orphan = BrightnessBundle();
  orphan.description.set_name("orphan");
  orphan.description.mutable_dataset()->set_path("gone.npy");
  WriteVersion(directory_, "models/orphan/1", orphan);
  ModelManagerOptions options;
  options.warm_up_rows = 1;
  models_ = ModelManager::Open(directory_.File("models"), options, EncoderOf, IgnoreEvents()).value();
  models_->Start();
  batcher_ = std::make_unique<Batcher>(BatcherOptions(), BatcherEvents());
  batcher_->Start();
  encode_ = std::make_unique<EncodeHandler>(models_.get(), batcher_.get(), kMostMessageBytes);
  runner_ = std::make_unique<JobRunner>(JobRunnerOptions(), &journal_, models_.get(), &metrics_);
  jobs_ = std::make_unique<JobHandler>(&journal_, runner_.get(), models_.get(), &datasets_);
  model_handler_ = std::make_unique<ModelHandler>(models_.get());
}

ApiWorld::~ApiWorld() {
  models_->Stop();
  batcher_->Drain();
}

ApiParts ApiWorld::Parts() {
  ApiParts parts;
  parts.status = [this]() -> absl::StatusOr<v1::StatusResponse> {
    if (!trouble.ok()) return trouble;
    return status;
  };
  parts.load = [this] { return load; };
  parts.live_use = [this](const ServedModel&) { return live_use; };
  parts.encode = encode_.get();
  parts.jobs = jobs_.get();
  parts.store = &store_;
  parts.model_handler = model_handler_.get();
  parts.models = models_.get();
  parts.data_directories = {kData};
  return parts;
}

void ApiWorld::AddJob(const std::string& id, const std::string& model) {
  v1::JobSpec spec;
  spec.set_model(model);
  spec.mutable_encoder()->mutable_k_sparse()->set_units(10);
  spec.mutable_dataset()->set_name("fashion-mnist");
  EXPECT_TRUE(store_.Create(id, spec, absl::FromUnixSeconds(1000)).ok());
}

}  // namespace kwta::server
