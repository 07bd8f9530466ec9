#include "server/metrics/model_series.h"

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

constexpr ModelState kModelStates[] = {ModelState::kLoading, ModelState::kReady, ModelState::kEvicted,
                                       ModelState::kUnloaded, ModelState::kFailed};

// The ways in which bundles usually fail to load. They count from zero, so that the first failure is a rise.
constexpr absl::StatusCode kUsualLoadFailures[] = {absl::StatusCode::kDataLoss, absl::StatusCode::kNotFound,
                                                   absl::StatusCode::kResourceExhausted,
                                                   absl::StatusCode::kUnavailable};

// No version has this name: it is not valid.
constexpr char kUnknownModel[] = "(unknown)";

bool KeepsSeries(ModelState state) {
  return state == ModelState::kReady || state == ModelState::kEvicted || state == ModelState::kLoading;
}

}  // namespace

ModelSeries::ModelSeries() : unknown_(kUnknownModel, 0, nullptr) {
  for (const absl::StatusCode code : kUsualLoadFailures) load_failures_[code] = 0;
}

std::shared_ptr<ModelUse> ModelSeries::UseOf(const ServedModel& model) {
  std::shared_ptr<ModelUse> use;
  {
    absl::MutexLock lock(&mutex_);
    Model& owner = models_[model.name];
    std::shared_ptr<ModelUse>& known = owner.uses[model.version];
    if (known == nullptr) known = std::make_shared<ModelUse>(model.name, model.version, owner.times);
    use = known;
  }
  use->Describe(model.description, model.encoder->code_width());
  use->NotePath(*model.encoder);
  return use;
}

void ModelSeries::Set(const ModelInfo& model) {
  absl::MutexLock lock(&mutex_);
  Model& known = models_[model.name];
  known.problems = static_cast<int>(model.problems.size());
  known.versions_by_state.clear();
  std::map<uint64_t, std::shared_ptr<ModelUse>> kept;
  for (const ModelVersionInfo& version : model.versions) {
    ++known.versions_by_state[ModelStateName(version.state)];
    const auto use = known.uses.find(version.version);
    if (use == known.uses.end() || !KeepsSeries(version.state)) continue;
    use->second->SetMemory(version.state == ModelState::kReady ? version.parameter_bytes : 0);
    kept.insert(*use);
  }
  known.uses = std::move(kept);
}

void ModelSeries::SetServing(const std::string& model, uint64_t version) {
  absl::MutexLock lock(&mutex_);
  models_[model].serving = version;
}

void ModelSeries::Remove(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  models_.erase(model);
}

void ModelSeries::Loaded(const std::string& model, uint64_t version, double seconds) {
  load_seconds_.Observe(seconds);
  absl::MutexLock lock(&mutex_);
  const auto known = models_.find(model);
  if (known == models_.end()) return;
  const auto use = known->second.uses.find(version);
  if (use != known->second.uses.end()) use->second->Loaded(seconds);
}

void ModelSeries::Evicted(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  if (const auto known = models_.find(model); known != models_.end()) ++known->second.evictions;
}

void ModelSeries::LoadFailed(absl::StatusCode code) {
  absl::MutexLock lock(&mutex_);
  ++load_failures_[code];
}

std::shared_ptr<const ModelUse> ModelSeries::Find(const std::string& model, uint64_t version) const {
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model);
  if (found == models_.end()) return nullptr;
  const auto use = found->second.uses.find(version);
  return use == found->second.uses.end() ? nullptr : use->second;
}

void ModelSeries::Collect(Collection* collection) const {
  unknown_.Collect(collection);
  collection->Add("kwta_model_load_seconds", {}, load_seconds_.Snapshot());
  absl::MutexLock lock(&mutex_);
  for (const auto& [code, failures] : load_failures_) {
    collection->Add("kwta_model_load_failures_total", {{"code", absl::StatusCodeToString(code)}},
                    static_cast<double>(failures));
  }
  for (const auto& [name, model] : models_) {
    const SampleLabels labels = {{"model", name}};
    if (model.serving != 0) collection->Add("kwta_model_version", labels, static_cast<double>(model.serving));
    for (const ModelState state : kModelStates) {
      const auto counted = model.versions_by_state.find(ModelStateName(state));
      collection->Add("kwta_model_versions", {{"model", name}, {"state", ModelStateName(state)}},
                      counted == model.versions_by_state.end() ? 0 : counted->second);
    }
    collection->Add("kwta_model_evictions_total", labels, static_cast<double>(model.evictions));
    collection->Add("kwta_model_problems", labels, model.problems);
    if (model.uses.empty()) continue;
    collection->Add("kwta_queue_seconds", labels, model.times->queue_seconds.Snapshot());
    collection->Add("kwta_compute_seconds", labels, model.times->compute_seconds.Snapshot());
    collection->Add("kwta_batch_rows", labels, model.times->batch_rows.Snapshot());
    for (const auto& [version, use] : model.uses) use->Collect(collection);
  }
}

}  // namespace kwta::server
