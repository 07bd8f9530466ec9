// Methods of ModelManager that find the changes of others to the directory.
#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/models/model_manager.h"

namespace kwta::server {

bool ModelManager::IsWanted(const VersionKey& key) const {
  const absl::StatusOr<ModelLabels> labels = directory_.ReadLabels(key.first);
  if (labels.ok()) {
    for (const auto& [label, version] : labels->set) {
      if (version == key.second) return true;
    }
  }
  const absl::StatusOr<ModelInfo> model = table_.Get(key.first);
  if (!model.ok()) return true;
  return std::none_of(model->versions.begin(), model->versions.end(),
                      [&](const ModelVersionInfo& each) { return each.usable() && each.version > key.second; });
}

absl::StatusOr<std::vector<VersionKey>> ModelManager::TakeArrivals(SteadyTime now, bool* unsettled) {
  absl::MutexLock changing(&changing_);
  KWTA_ASSIGN_OR_RETURN(const std::vector<ModelDirectory::Entry> entries, directory_.Scan());
  std::set<VersionKey> present;
  std::set<std::string> unlisted;  // models whose versions stay
  for (const ModelDirectory::Entry& entry : entries) {
    for (const uint64_t version : entry.versions) present.emplace(entry.name, version);
    if (!entry.listed) unlisted.insert(entry.name);
  }
  const std::vector<ModelInfo> known = table_.List();
  const bool serves_some =
      std::any_of(known.begin(), known.end(), [](const ModelInfo& model) { return !model.versions.empty(); });
  if (present.empty() && unlisted.empty() && serves_some) {
    return absl::UnavailableError(
        "the directory of models is empty although models of it are served: they stay; is it mounted?");
  }
  std::map<VersionKey, ModelState> states;
  std::set<std::string> changed;
  for (const ModelInfo& model : known) {
    for (const ModelVersionInfo& version : model.versions) {
      const VersionKey key(model.name, version.version);
      states[key] = version.state;
      if (present.count(key) != 0 || unlisted.count(model.name) != 0) continue;
      table_.Remove(key);
      changed.insert(model.name);
    }
  }
  for (auto it = arrivals_.begin(); it != arrivals_.end();) {
    it = present.count(it->first) != 0 ? std::next(it) : arrivals_.erase(it);
  }

  std::vector<VersionKey> arrived;
  for (const VersionKey& key : present) {
    const auto state = states.find(key);
    if (state != states.end() && state->second != ModelState::kFailed) continue;
    std::string fingerprint = ModelDirectory::Fingerprint(directory_.BundlePath(key.first, key.second));
    Arrival& arrival = arrivals_[key];
    if (fingerprint.empty() || fingerprint == arrival.tried) continue;  // a change will tell
    if (fingerprint != arrival.fingerprint) {
      arrival.fingerprint = std::move(fingerprint);
      arrival.since = now;
    }
    if (now - arrival.since < options_.settle) {
      *unsettled = true;
      continue;
    }
    arrival.tried = arrival.fingerprint;
    ModelVersionInfo info = Look(key);
    if (info.state == ModelState::kEvicted && IsWanted(key)) {
      info.state = ModelState::kLoading;
      arrived.push_back(key);
    }
    changed.insert(key.first);
    table_.Put(std::move(info));
  }
  std::set<std::string> there;
  for (const ModelDirectory::Entry& entry : entries) {
    there.insert(entry.name);
    if (NoteProblems(entry)) changed.insert(entry.name);
  }
  for (const ModelInfo& model : table_.List()) {
    if (there.count(model.name) == 0 && table_.SetProblems(model.name, {})) changed.insert(model.name);
    if (model.versions.empty()) continue;
    // Labels that cannot be read are a problem; the ones known before stay.
    absl::StatusOr<ModelLabels> labels = directory_.ReadLabels(model.name);
    if (labels.ok() && !(*labels == model.labels)) {
      table_.SetLabels(model.name, *std::move(labels));
      changed.insert(model.name);
    }
  }
  for (const std::string& name : changed) Tell(name);
  return arrived;
}

absl::StatusOr<bool> ModelManager::Rescan(SteadyTime now) {
  absl::MutexLock loading(&loading_);
  bool unsettled = false;
  KWTA_ASSIGN_OR_RETURN(const std::vector<VersionKey> arrived, TakeArrivals(now, &unsettled));
  for (const VersionKey& key : arrived) {
    LoadVersion(key).IgnoreError();  // the events report it
    EvictSuperseded(key.first);
  }
  return unsettled;
}

}  // namespace kwta::server
