// The part of a server that trains and publishes, over a directory of its own.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "kwta/v1/job.pb.h"
#include "server/jobs/job_journal.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/metrics/metrics.h"
#include "server/models/model_manager.h"

namespace kwta::testing {

// Not thread-safe.
class JobService {
 public:
  // Starts as a server does: clears what a killed one left, and takes up its jobs. `directory` may be empty.
  explicit JobService(const std::string& directory);
  ~JobService();

  // Trains the model "good" to its end, or until it has taken so long that it is stuck. Submits again what cannot be
  // submitted.
  v1::Job Train(const std::string& id);

  server::JobRunner& runner() { return *runner_; }
  server::ModelManager& models() { return *models_; }

 private:
  server::Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  std::unique_ptr<server::JobStore> store_;
  std::unique_ptr<server::ModelManager> models_;
  std::unique_ptr<server::JobJournal> journal_;
  std::unique_ptr<server::JobRunner> runner_;
};

// Versions of "good" on disk by the job that made them.
std::multimap<std::string, uint64_t> VersionsByJob(const std::string& directory);

}  // namespace kwta::testing
