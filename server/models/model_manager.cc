#include "server/models/model_manager.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

// At most this many names are listed in an error.
constexpr size_t kNamesInError = 10;

std::string_view AsStd(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace

ModelManager::ModelManager(const std::string& directory, Loader loader, Events events)
    : loader_(std::move(loader)), events_(std::move(events)), directory_(directory) {}

absl::StatusOr<std::unique_ptr<ModelManager>> ModelManager::Open(const std::string& directory, Loader loader,
                                                                 Events events) {
  std::unique_ptr<ModelManager> manager(new ModelManager(directory, std::move(loader), std::move(events)));
  absl::MutexLock changing(&manager->changing_);
  KWTA_ASSIGN_OR_RETURN(const std::vector<ModelDirectory::Entry> entries, manager->directory_.Scan());
  for (const ModelDirectory::Entry& entry : entries) {
    std::map<uint64_t, ServedModelPtr> versions;
    for (const uint64_t version : entry.versions) {
      const std::string path = manager->directory_.BundlePath(entry.name, version);
      absl::StatusOr<ServedModelPtr> model = manager->Load(entry.name, version, path);
      if (model.ok()) {
        versions[version] = *std::move(model);
      } else {
        manager->events_.load_failed(path, model.status());
      }
    }
    if (versions.empty()) continue;
    manager->events_.serving(entry.name, versions.rbegin()->first);
    absl::MutexLock lock(&manager->mutex_);
    manager->models_[entry.name] = std::move(versions);
  }
  return manager;
}

absl::StatusOr<ServedModelPtr> ModelManager::Load(const std::string& name, uint64_t version,
                                                  const std::string& path) const {
  KWTA_ASSIGN_OR_RETURN(ModelBundle bundle, ReadModelBundle(path));
  if (bundle.description.name() != name) {
    return absl::DataLossError(absl::StrCat("the bundle at '", path, "' is of model '", bundle.description.name(),
                                            "', expected '", name, "'"));
  }
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, loader_(bundle));
  auto model = std::make_shared<ServedModel>();
  model->name = name;
  model->version = version;
  model->directory = directory_.BundlePath(name, version);
  model->description = std::move(bundle.description);
  model->encoder = std::move(encoder);
  return model;
}

absl::Status ModelManager::UnknownModel(absl::string_view name) const {
  if (models_.empty()) {
    return absl::NotFoundError(absl::StrCat("model '", name,
                                            "' does not exist, nor does any other; train one with the ",
                                            "Train call or 'kwta train --model ", name, " ...'"));
  }
  std::vector<std::string> names;
  for (const auto& [other, versions] : models_) {
    if (names.size() == kNamesInError) {
      names.push_back("...");
      break;
    }
    names.push_back(other);
  }
  return absl::NotFoundError(
      absl::StrCat("model '", name, "' does not exist; there are: ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<ServedModelPtr> ModelManager::Get(absl::string_view name, uint64_t version) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto model = models_.find(AsStd(name));
  if (model == models_.end()) return UnknownModel(name);
  const auto& versions = model->second;
  if (version == 0) return versions.rbegin()->second;
  const auto found = versions.find(version);
  if (found != versions.end()) return found->second;
  return absl::NotFoundError(absl::StrCat(
      "model '", name, "' has no version ", version, "; it has ",
      absl::StrJoin(versions, ", ", [](std::string* out, const auto& entry) { absl::StrAppend(out, entry.first); })));
}

absl::StatusOr<std::vector<ServedModelPtr>> ModelManager::Versions(absl::string_view name) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto model = models_.find(AsStd(name));
  if (model == models_.end()) return UnknownModel(name);
  std::vector<ServedModelPtr> versions;
  for (const auto& [version, served] : model->second) versions.push_back(served);
  return versions;
}

std::vector<ServedModelPtr> ModelManager::List() const {
  absl::ReaderMutexLock lock(&mutex_);
  std::vector<ServedModelPtr> all;
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, served] : versions) all.push_back(served);
  }
  return all;
}

size_t ModelManager::size() const {
  absl::ReaderMutexLock lock(&mutex_);
  return models_.size();
}

uint64_t ModelManager::VersionOfJob(absl::string_view name, absl::string_view job_id) const {
  absl::ReaderMutexLock lock(&mutex_);
  const auto model = models_.find(AsStd(name));
  if (model == models_.end()) return 0;
  for (const auto& [version, served] : model->second) {
    if (served->description.job_id() == job_id) return version;
  }
  return 0;
}

absl::StatusOr<uint64_t> ModelManager::Publish(const std::string& name, const std::string& bundle_directory) {
  KWTA_RETURN_IF_ERROR(ValidateName("model", name));
  absl::MutexLock changing(&changing_);
  KWTA_ASSIGN_OR_RETURN(const uint64_t version, directory_.NextVersion(name));
  // Loaded before it is moved: what does not load never stands among the models.
  KWTA_ASSIGN_OR_RETURN(ServedModelPtr model, Load(name, version, bundle_directory));
  KWTA_RETURN_IF_ERROR(directory_.Install(bundle_directory, name, version));
  {
    absl::MutexLock lock(&mutex_);
    models_[name][version] = std::move(model);
  }
  events_.serving(name, version);
  return version;
}

absl::StatusOr<std::vector<uint64_t>> ModelManager::Delete(const std::string& name, uint64_t version) {
  absl::MutexLock changing(&changing_);
  std::vector<uint64_t> doomed;
  if (version == 0) {
    KWTA_ASSIGN_OR_RETURN(const std::vector<ServedModelPtr> versions, Versions(name));
    for (const ServedModelPtr& served : versions) doomed.push_back(served->version);
  } else {
    KWTA_RETURN_IF_ERROR(Get(name, version).status());
    doomed.push_back(version);
  }
  for (const uint64_t each : doomed) {
    KWTA_RETURN_IF_ERROR(directory_.Remove(name, each));
    uint64_t newest = 0;
    {
      absl::MutexLock lock(&mutex_);
      auto& versions = models_[name];
      versions.erase(each);
      if (versions.empty()) {
        models_.erase(name);
      } else {
        newest = versions.rbegin()->first;
      }
    }
    if (newest == 0) {
      events_.removed(name);
    } else {
      events_.serving(name, newest);
    }
  }
  return doomed;
}

}  // namespace kwta::server
