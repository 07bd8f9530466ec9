#include "server/model_reports.h"

#include <spdlog/spdlog.h>

#include <map>
#include <string>

namespace kwta::server {

ModelManager::Events ReportModelsTo(Metrics* metrics) {
  ModelManager::Events events;
  events.serving = [metrics](const std::string& model, uint64_t version) {
    metrics->SetModelVersion(model, version);
    spdlog::info("model {}: version {} is served", model, version);
  };
  events.removed = [metrics](const std::string& model) {
    metrics->ModelRemoved(model);
    spdlog::info("model {}: gone", model);
  };
  events.changed = [metrics](const ModelInfo& model) {
    std::map<std::string, int> by_state;
    int64_t memory_bytes = 0;
    for (const ModelVersionInfo& version : model.versions) {
      ++by_state[ModelStateName(version.state)];
      if (version.state == ModelState::kReady) memory_bytes += version.parameter_bytes;
    }
    metrics->SetModelVersions(model.name, by_state, memory_bytes);
    metrics->SetModelProblems(model.name, static_cast<int>(model.problems.size()));
  };
  events.set_aside = [](const std::string& model, const std::string& problem) {
    spdlog::error("model {}: set aside: {}", model, problem);
  };
  events.load_failed = [metrics](const std::string& model, const std::string& path, const absl::Status& status) {
    metrics->ModelLoadFailed(status.code());
    spdlog::error("model {}: {} cannot be used: {}", model, path, status.ToString());
  };
  events.loaded = [metrics](const std::string& model, uint64_t version, absl::Duration took) {
    metrics->ModelLoaded(absl::ToDoubleSeconds(took));
    spdlog::info("model {}: version {} is in memory and warm after {:.3f} s", model, version,
                 absl::ToDoubleSeconds(took));
  };
  events.evicted = [metrics](const std::string& model, uint64_t version) {
    metrics->ModelEvicted(model);
    spdlog::info("model {}: version {} is evicted until it is asked for", model, version);
  };
  return events;
}

}  // namespace kwta::server
