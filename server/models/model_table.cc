#include "server/models/model_table.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "server/refusal.h"

namespace kwta::server {
namespace {

// The most names that an error lists.
constexpr size_t kNamesInError = 10;

std::string_view AsStd(absl::string_view text) { return {text.data(), text.size()}; }

template <typename Map>
std::string KeysOf(const Map& map) {
  std::vector<std::string> keys;
  for (const auto& entry : map) {
    if (keys.size() == kNamesInError) {
      keys.push_back("...");
      break;
    }
    keys.push_back(absl::StrCat(entry.first));
  }
  return absl::StrJoin(keys, ", ");
}

// Says why a version cannot be used in its state.
absl::Status NotUsable(const ModelVersionInfo& info) {
  const std::string what = absl::StrCat("model '", info.name, "' version ", info.version);
  switch (info.state) {
    case ModelState::kLoading:
      return Refused(Refusal::kModelLoading,
                     absl::UnavailableError(absl::StrCat(what, " is being loaded; try again later")));
    case ModelState::kUnloaded:
      return absl::FailedPreconditionError(absl::StrCat(what,
                                                        " was unloaded; load it with the LoadModel call or 'kwta "
                                                        "models load ",
                                                        info.name, " --version ", info.version, "'"));
    default:
      return absl::FailedPreconditionError(absl::StrCat(what, " failed to load: ", info.failure.message()));
  }
}

}  // namespace

const char* ModelStateName(ModelState state) {
  switch (state) {
    case ModelState::kLoading:
      return "loading";
    case ModelState::kReady:
      return "ready";
    case ModelState::kEvicted:
      return "evicted";
    case ModelState::kUnloaded:
      return "unloaded";
    case ModelState::kFailed:
      return "failed";
  }
  return "unknown";
}

const ModelTable::Version* ModelTable::NewestUsable(const Model& model) {
  for (auto it = model.versions.rbegin(); it != model.versions.rend(); ++it) {
    if (it->second.info.usable()) return &it->second;
  }
  return nullptr;
}

const ModelTable::Version* ModelTable::Labelled(const Model& model, absl::string_view label) {
  const auto set = model.labels.set.find(AsStd(label));
  if (set != model.labels.set.end()) {
    const auto version = model.versions.find(set->second);
    return version == model.versions.end() ? nullptr : &version->second;
  }
  return label == kStableLabel || label == kCanaryLabel ? NewestUsable(model) : nullptr;
}

absl::StatusOr<const ModelTable::Version*> ModelTable::Resolve(const ModelSelector& selector) const {
  if (selector.version != 0 && !selector.label.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("version is ", selector.version, " and label is '", selector.label, "'; set at most one of them"));
  }
  const auto found = models_.find(AsStd(selector.name));
  if (found == models_.end()) {
    if (models_.empty()) {
      return absl::NotFoundError(absl::StrCat("model '", selector.name, "' does not exist, nor does any other; train ",
                                              "one with the Train call or 'kwta train --model ", selector.name,
                                              " ...'"));
    }
    return absl::NotFoundError(
        absl::StrCat("model '", selector.name, "' does not exist; there are: ", KeysOf(models_)));
  }
  const Model& model = found->second;
  if (selector.version != 0) {
    const auto version = model.versions.find(selector.version);
    if (version != model.versions.end()) return &version->second;
    return absl::NotFoundError(absl::StrCat("model '", selector.name, "' has no version ", selector.version,
                                            "; it has ", KeysOf(model.versions)));
  }
  const absl::string_view label = selector.label.empty() ? absl::string_view(kStableLabel) : selector.label;
  if (const Version* version = Labelled(model, label)) return version;
  const auto set = model.labels.set.find(AsStd(label));
  if (set != model.labels.set.end()) {
    return absl::FailedPreconditionError(absl::StrCat("label '", label, "' of model '", selector.name,
                                                      "' names version ", set->second, ", which is gone; it has ",
                                                      KeysOf(model.versions), ": set the label to one of them"));
  }
  // No version is usable, so the newest says why.
  if (label == kStableLabel || label == kCanaryLabel) return &model.versions.rbegin()->second;
  return absl::NotFoundError(
      absl::StrCat("model '", selector.name, "' has no label '", label, "'; it has stable, canary",
                   model.labels.set.empty() ? "" : absl::StrCat(" and, set by name, ", KeysOf(model.labels.set))));
}

void ModelTable::Touch(const ServedModel& model) const {
  model.last_use.store(uses_.fetch_add(1, std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

absl::StatusOr<ModelTable::Found> ModelTable::Find(const ModelSelector& selector) const {
  absl::ReaderMutexLock lock(&mutex_);
  KWTA_ASSIGN_OR_RETURN(const Version* version, Resolve(selector));
  if (!version->info.usable()) return NotUsable(version->info);
  if (version->served != nullptr) Touch(*version->served);
  return Found{version->info.version, version->served};
}

absl::StatusOr<ModelVersionInfo> ModelTable::Describe(const ModelSelector& selector) const {
  absl::ReaderMutexLock lock(&mutex_);
  KWTA_ASSIGN_OR_RETURN(const Version* version, Resolve(selector));
  return InfoOf(models_.find(AsStd(selector.name))->second, *version);
}

ModelVersionInfo ModelTable::InfoOf(const Model& model, const Version& version) {
  ModelVersionInfo info = version.info;
  if (version.served != nullptr) {
    info.path = version.served->encoder->path();
    info.placement = version.served->encoder->placement();
  }
  const auto add = [&](const std::string& label) {
    if (Labelled(model, label) == &version) info.labels.push_back(label);
  };
  add(kStableLabel);
  add(kCanaryLabel);
  for (const auto& [label, unused] : model.labels.set) {
    if (label != kStableLabel && label != kCanaryLabel) add(label);
  }
  return info;
}

ModelInfo ModelTable::InfoOf(const std::string& name) const {
  ModelInfo info;
  info.name = name;
  if (const auto found = models_.find(name); found != models_.end()) {
    const Model& model = found->second;
    if (const Version* stable = Labelled(model, kStableLabel)) info.stable = stable->info.version;
    info.labels = model.labels;
    for (const auto& [number, version] : model.versions) info.versions.push_back(InfoOf(model, version));
  }
  if (const auto found = problems_.find(name); found != problems_.end()) info.problems = found->second;
  return info;
}

absl::StatusOr<ModelInfo> ModelTable::Get(absl::string_view name) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (models_.find(AsStd(name)) == models_.end() && problems_.find(AsStd(name)) == problems_.end()) {
    return Resolve({name}).status();
  }
  return InfoOf(std::string(name));
}

std::vector<ModelInfo> ModelTable::List() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::set<std::string> names;
  for (const auto& [name, model] : models_) names.insert(name);
  for (const auto& [name, problems] : problems_) names.insert(name);
  std::vector<ModelInfo> all;
  for (const std::string& name : names) all.push_back(InfoOf(name));
  return all;
}

size_t ModelTable::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return static_cast<size_t>(
      std::count_if(models_.begin(), models_.end(), [](const auto& each) { return NewestUsable(each.second); }));
}

int64_t ModelTable::loaded_bytes() const {
  absl::ReaderMutexLock lock(&mutex_);
  int64_t bytes = 0;
  for (const auto& [name, model] : models_) {
    for (const auto& [number, version] : model.versions) {
      if (version.served != nullptr) bytes += version.info.parameter_bytes;
    }
  }
  return bytes;
}

ModelTable::Version* ModelTable::Locate(const VersionKey& key) {
  const auto model = models_.find(key.first);
  if (model == models_.end()) return nullptr;
  const auto version = model->second.versions.find(key.second);
  return version == model->second.versions.end() ? nullptr : &version->second;
}

// Frees what leaves the table after releasing the lock, because freeing may take long.
void ModelTable::Put(ModelVersionInfo info) {
  ServedModelPtr old;
  absl::MutexLock lock(&mutex_);
  Version& version = models_[info.name].versions[info.version];
  old.swap(version.served);
  version.info = std::move(info);
}

bool ModelTable::Serve(ServedModelPtr model) {
  absl::MutexLock lock(&mutex_);
  Version* version = Locate({model->name, model->version});
  if (version == nullptr) return false;
  Touch(*model);
  version->info.state = ModelState::kReady;
  version->info.failure = absl::OkStatus();
  version->info.description = model->description;
  version->info.parameter_bytes = model->encoder->parameter_bytes();
  version->served.swap(model);
  return true;
}

void ModelTable::SetState(const VersionKey& key, ModelState state) {
  ServedModelPtr old;
  absl::MutexLock lock(&mutex_);
  Version* version = Locate(key);
  if (version == nullptr) return;
  version->info.state = state;
  version->info.failure = absl::OkStatus();
  old.swap(version->served);
}

void ModelTable::Fail(const VersionKey& key, const absl::Status& failure) {
  absl::MutexLock lock(&mutex_);
  Version* version = Locate(key);
  if (version == nullptr) return;
  version->info.failure = failure;
  const bool may_load_later = version->info.state == ModelState::kEvicted && absl::IsUnavailable(failure);
  if (version->served == nullptr && !may_load_later) version->info.state = ModelState::kFailed;
}

void ModelTable::Remove(const VersionKey& key) {
  ServedModelPtr old;
  absl::MutexLock lock(&mutex_);
  const auto model = models_.find(key.first);
  if (model == models_.end()) return;
  if (Version* version = Locate(key)) old.swap(version->served);
  model->second.versions.erase(key.second);
  if (model->second.versions.empty()) models_.erase(model);
}

void ModelTable::SetLabels(const std::string& name, ModelLabels labels) {
  absl::MutexLock lock(&mutex_);
  const auto model = models_.find(name);
  if (model != models_.end()) model->second.labels = std::move(labels);
}

bool ModelTable::SetProblems(const std::string& name, std::vector<std::string> problems) {
  absl::MutexLock lock(&mutex_);
  const auto found = problems_.find(name);
  if (found == problems_.end() ? problems.empty() : found->second == problems) return false;
  if (problems.empty()) {
    problems_.erase(found);
  } else {
    problems_[name] = std::move(problems);
  }
  return true;
}

std::optional<VersionKey> ModelTable::LeastRecentlyUsed(const std::vector<VersionKey>& spared) const {
  absl::ReaderMutexLock lock(&mutex_);
  std::optional<VersionKey> least;
  uint64_t least_use = 0;
  for (const auto& [name, model] : models_) {
    for (const auto& [number, version] : model.versions) {
      if (version.served == nullptr) continue;
      VersionKey key(name, number);
      if (std::find(spared.begin(), spared.end(), key) != spared.end()) continue;
      const uint64_t use = version.served->last_use.load(std::memory_order_relaxed);
      if (least.has_value() && use >= least_use) continue;
      least = std::move(key);
      least_use = use;
    }
  }
  return least;
}

}  // namespace kwta::server
