// The server's parts behind the status page's API, with small models of Fashion-MNIST and jobs that never start.
#pragma once

#include <memory>
#include <string>

#include "server/batching/batcher.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/job_runner.h"
#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"
#include "server/services/dataset_handler.h"
#include "server/services/encode_handler.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"
#include "server/web/api/api_routes.h"
#include "tests/server/jobs/faulty_job_store.h"
#include "tests/temporary_directory.h"

namespace kwta::server {

// Serves versions 1 and 2 of "brightness", version 1 of "maps" (small_models.h describes them), and version 1 of
// "orphan", another "brightness" whose training data are gone.
class ApiWorld {
 public:
  ApiWorld();
  ~ApiWorld();
  ApiWorld(const ApiWorld&) = delete;
  ApiWorld& operator=(const ApiWorld&) = delete;

  // What the API depends on. REQUIRES: the world outlives it.
  ApiParts Parts();

  ServedModelPtr Model(const std::string& name) { return models_->Get({name}).value(); }
  ModelManager* models() { return models_.get(); }
  EncodeHandler* encode() { return encode_.get(); }
  FaultyJobStore* store() { return &store_; }
  // A queued job to train `model`.
  void AddJob(const std::string& id, const std::string& model);

  // What the parts tell. Set these only while nobody asks.
  absl::Status trouble;  // unless OK, there is no status
  v1::StatusResponse status;
  ServerLoad load;
  LiveUse live_use;  // of every model

  // Where data sets are found.
  static constexpr char kData[] = KWTA_TEST_DATA "/datasets";

 private:
  const TemporaryDirectory directory_;
  Metrics metrics_{"1", "reference", absl::UnixEpoch()};
  FaultyJobStore store_;
  JobJournal journal_{&store_, {}};
  DatasetHandler datasets_{&journal_, {kData}};
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<Batcher> batcher_;
  std::unique_ptr<EncodeHandler> encode_;
  std::unique_ptr<JobRunner> runner_;  // not started: jobs stay queued
  std::unique_ptr<JobHandler> jobs_;
  std::unique_ptr<ModelHandler> model_handler_;
};

}  // namespace kwta::server
