#include "server/model_reports.h"

#include <spdlog/spdlog.h>

#include <string>

namespace kwta::server {

namespace {

void TellPlacement(const ServedModel& model) {
  const Placement placement = model.encoder->placement();
  if (placement.reason.empty()) return;
  spdlog::info("model {} version {}: {} encodes: {}", model.name, model.version,
               placement.device.empty() ? "the processor" : placement.device, placement.reason);
}

}  // namespace

void TellPath(const ServedModel& model) {
  const EncodingPath path = model.encoder->path();
  if (!path.name.empty()) {
    spdlog::info("model {} version {}: codes are found by {}: {}", model.name, model.version, path.name, path.reason);
  }
  TellPlacement(model);
}

ModelManager::Events ReportModelsTo(Metrics* metrics) {
  ModelManager::Events events;
  events.arriving = [metrics](ServedModel* model) {
    model->use = metrics->models().UseOf(*model);
    TellPlacement(*model);
  };
  events.serving = [metrics](const std::string& model, uint64_t version) {
    metrics->models().SetServing(model, version);
    spdlog::info("model {}: version {} is served", model, version);
  };
  events.removed = [metrics](const std::string& model) {
    metrics->models().Remove(model);
    spdlog::info("model {}: gone", model);
  };
  events.changed = [metrics](const ModelInfo& model) { metrics->models().Set(model); };
  events.set_aside = [](const std::string& model, const std::string& problem) {
    spdlog::error("model {}: set aside: {}", model, problem);
  };
  events.load_failed = [metrics](const std::string& model, const std::string& path, const absl::Status& status) {
    metrics->models().LoadFailed(status.code());
    spdlog::error("model {}: {} cannot be used: {}", model, path, status.ToString());
  };
  events.loaded = [metrics](const std::string& model, uint64_t version, absl::Duration took) {
    metrics->models().Loaded(model, version, absl::ToDoubleSeconds(took));
    spdlog::info("model {}: version {} is in memory and warm after {:.3f} s", model, version,
                 absl::ToDoubleSeconds(took));
  };
  events.evicted = [metrics](const std::string& model, uint64_t version) {
    metrics->models().Evicted(model);
    spdlog::info("model {}: version {} is evicted until it is asked for", model, version);
  };
  return events;
}

}  // namespace kwta::server
