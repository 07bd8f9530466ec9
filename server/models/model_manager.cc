#include "server/models/model_manager.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/base/status_macros.h"
#include "server/freed_memory.h"

namespace kwta::server {
namespace {

// How many of the newest versions stay in memory, whether labels name them or not.
constexpr int kKeptVersions = 2;

int64_t FileBytes(const std::string& bundle) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(absl::StrCat(bundle, "/model.safetensors"), error);
  return error ? 0 : static_cast<int64_t>(bytes);
}

}  // namespace

ModelManager::ModelManager(const std::string& directory, const ModelManagerOptions& options, ModelLoader::Create create,
                           Events events)
    : root_(directory),
      options_(options),
      loader_(std::move(create), options.warm_up_rows, options.stopping),
      events_(std::move(events)),
      directory_(directory),
      waiting_([this](const VersionKey& key) { return LoadIfNeeded(key); }) {}

absl::StatusOr<std::unique_ptr<ModelManager>> ModelManager::Open(const std::string& directory,
                                                                 const ModelManagerOptions& options,
                                                                 ModelLoader::Create create, Events events) {
  std::unique_ptr<ModelManager> manager(new ModelManager(directory, options, std::move(create), std::move(events)));
  absl::MutexLock loading(&manager->loading_);
  std::vector<std::string> names;
  {
    absl::MutexLock changing(&manager->changing_);
    KWTA_ASSIGN_OR_RETURN(const std::vector<ModelDirectory::Entry> entries, manager->directory_.Scan());
    for (const ModelDirectory::Entry& entry : entries) {
      for (const uint64_t version : entry.versions) {
        const VersionKey key(entry.name, version);
        manager->table_.Put(manager->Look(key));
        // A failed bundle is tried again when it changes.
        manager->arrivals_[key].tried =
            ModelDirectory::Fingerprint(manager->directory_.BundlePath(entry.name, version));
      }
      manager->NoteProblems(entry);
      if (absl::StatusOr<ModelLabels> labels = manager->directory_.ReadLabels(entry.name); labels.ok()) {
        manager->table_.SetLabels(entry.name, *std::move(labels));
      }
      names.push_back(entry.name);
    }
  }
  for (const std::string& name : names) {
    if (!manager->Stopping()) manager->LoadAtStart(name);
  }
  if (manager->Stopping()) return absl::CancelledError("the server stops before its models are loaded");
  return manager;
}

bool ModelManager::NoteProblems(const ModelDirectory::Entry& entry) {
  std::vector<std::string> problems;
  for (const std::string& problem : entry.problems) {
    problems.push_back(absl::StrReplaceAll(problem, {{root_ + "/", ""}}));
  }
  if (const absl::Status labels = directory_.ReadLabels(entry.name).status(); !labels.ok()) {
    problems.push_back(absl::StrCat("its labels cannot be read: ", WithoutRoot(labels).message()));
  }
  const absl::StatusOr<ModelInfo> before = table_.Get(entry.name);
  if (!table_.SetProblems(entry.name, problems)) return false;
  for (const std::string& problem : problems) {
    const bool is_new = !before.ok() || std::count(before->problems.begin(), before->problems.end(), problem) == 0;
    if (is_new) events_.set_aside(entry.name, problem);
  }
  return true;
}

void ModelManager::LoadAtStart(const std::string& name) {
  const absl::StatusOr<ModelInfo> model = table_.Get(name);
  if (!model.ok()) return;  // an empty directory
  for (const auto& [label, version] : model->labels.set) {
    const absl::StatusOr<ModelTable::Found> found = table_.Find({name, version});
    if (found.ok() && found->served == nullptr) LoadVersion({name, version}).IgnoreError();  // the events report it
  }
  for (;;) {
    // The newest version that can serve; a version that fails is not usable any more.
    const absl::StatusOr<ModelInfo> now = table_.Get(name);
    if (!now.ok()) return;
    const auto usable = std::find_if(now->versions.rbegin(), now->versions.rend(),
                                     [](const ModelVersionInfo& each) { return each.usable(); });
    if (usable == now->versions.rend() || usable->state == ModelState::kReady) break;
    const absl::Status status = LoadVersion({name, usable->version}).status();
    if (status.ok() || absl::IsUnavailable(status) || absl::IsCancelled(status)) break;
  }
  Tell(name);
}

ModelVersionInfo ModelManager::Look(const VersionKey& key) {
  ModelVersionInfo info;
  info.name = key.first;
  info.version = key.second;
  info.directory = directory_.BundlePath(key.first, key.second);
  info.parameter_bytes = FileBytes(info.directory);
  absl::StatusOr<v1::ModelDescription> description = ReadModelDescription(info.directory);
  if (description.ok()) {
    info.description = *std::move(description);
    info.state = ModelState::kEvicted;
  } else {
    info.state = ModelState::kFailed;
    info.failure = WithoutRoot(description.status());
    events_.load_failed(info.name, info.directory, description.status());
  }
  return info;
}

absl::StatusOr<ServedModelPtr> ModelManager::Get(const ModelSelector& selector) {
  KWTA_ASSIGN_OR_RETURN(const ModelTable::Found found, table_.Find(selector));
  if (found.served != nullptr) return found.served;
  return LoadIfNeeded({std::string(selector.name), found.version});
}

void ModelManager::GetWhenLoaded(const ModelSelector& selector, LoadQueue::Done done) {
  absl::StatusOr<ModelTable::Found> found = table_.Find(selector);
  if (!found.ok()) return done(found.status());
  if (found->served != nullptr) return done(std::move(found->served));
  waiting_.Add({std::string(selector.name), found->version}, std::move(done));
}

uint64_t ModelManager::VersionOfJob(absl::string_view name, absl::string_view job_id) const {
  const absl::StatusOr<ModelInfo> model = table_.Get(name);
  if (!model.ok()) return 0;
  for (const ModelVersionInfo& version : model->versions) {
    if (version.description.job_id() == job_id) return version.version;
  }
  return 0;
}

absl::StatusOr<ServedModelPtr> ModelManager::LoadIfNeeded(const VersionKey& key) {
  absl::MutexLock loading(&loading_);
  // An earlier caller may have loaded it.
  KWTA_ASSIGN_OR_RETURN(const ModelTable::Found found, table_.Find({key.first, key.second}));
  if (found.served != nullptr) return found.served;
  return LoadVersion(key);
}

absl::Status ModelManager::WithoutRoot(const absl::Status& status) const {
  absl::Status result(status.code(), absl::StrReplaceAll(status.message(), {{root_ + "/", ""}}));
  status.ForEachPayload([&](absl::string_view type, const absl::Cord& payload) { result.SetPayload(type, payload); });
  return result;
}

absl::Status ModelManager::CheckFits(const std::string& name, int64_t bytes) const {
  if (options_.memory_bytes == 0 || bytes <= options_.memory_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("model '", name, "' has ", bytes, " bytes of parameters, more than ",
                                                   options_.memory_bytes, " (--model-memory); allow more"));
}

absl::StatusOr<std::shared_ptr<ServedModel>> ModelManager::LoadWithin(const ModelVersionInfo& info) {
  KWTA_RETURN_IF_ERROR(CheckFits(info.name, info.parameter_bytes));
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, table_.Get(info.name));
  MakeRoom(info.parameter_bytes, {{info.name, info.version}, {info.name, model.stable}});
  return loader_.Load(info.name, info.directory);
}

absl::StatusOr<ServedModelPtr> ModelManager::LoadVersion(const VersionKey& key) {
  const auto& [name, version] = key;
  const SteadyTime start = SteadyTime::Now();
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo info, table_.Describe({name, version}));
  absl::StatusOr<std::shared_ptr<ServedModel>> model = LoadWithin(info);
  if (absl::IsCancelled(model.status())) return model.status();
  if (!model.ok()) {
    const absl::Status failure = WithoutRoot(model.status());
    table_.Fail(key, failure);
    events_.load_failed(name, info.directory, model.status());
    Tell(name);
    return failure;
  }
  (*model)->version = version;
  (*model)->directory = info.directory;
  if (events_.arriving) events_.arriving(model->get());
  if (!table_.Serve(*model)) {
    Tell(name);
    return absl::NotFoundError(absl::StrCat("model '", name, "' version ", version, " was deleted meanwhile"));
  }
  MakeRoom(0, {key});
  events_.loaded(name, version, SteadyTime::Now() - start);
  Tell(name);
  return ServedModelPtr(*std::move(model));
}

void ModelManager::Evict(const VersionKey& key) {
  table_.SetState(key, ModelState::kEvicted);
  events_.evicted(key.first, key.second);
}

void ModelManager::MakeRoom(int64_t bytes, const std::vector<VersionKey>& spared) {
  if (options_.memory_bytes == 0) return;
  std::set<std::string> touched;
  while (table_.loaded_bytes() + bytes > options_.memory_bytes) {
    const std::optional<VersionKey> least = table_.LeastRecentlyUsed(spared);
    if (!least.has_value()) break;
    Evict(*least);
    touched.insert(least->first);
  }
  for (const std::string& name : touched) Tell(name);
}

void ModelManager::EvictSuperseded(const std::string& name) {
  const absl::StatusOr<ModelInfo> model = table_.Get(name);
  if (!model.ok()) return;
  int kept = 0;
  for (auto it = model->versions.rbegin(); it != model->versions.rend(); ++it) {
    if (it->state != ModelState::kReady) continue;
    if (++kept <= kKeptVersions || !it->labels.empty() || it->version == model->labels.previous_stable) continue;
    Evict({name, it->version});
  }
}

void ModelManager::Tell(const std::string& name) {
  ReturnFreedMemory();
  absl::MutexLock lock(&telling_);
  const absl::StatusOr<ModelInfo> model = table_.Get(name);
  if (!model.ok()) {
    told_stable_.erase(name);
    events_.removed(name);
    return;
  }
  uint64_t& told = told_stable_[name];
  if (model->stable != 0 && model->stable != told) events_.serving(name, model->stable);
  told = model->stable;
  events_.changed(*model);
}

}  // namespace kwta::server
