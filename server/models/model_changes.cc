// Methods of ModelManager that change the set of models: publish, load, unload, label, delete.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/io/model_bundle.h"
#include "server/models/model_labels.h"
#include "server/models/model_manager.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

constexpr absl::Duration kStorePause = absl::Seconds(1);

// Marks errors that a retry may overcome: a full disk, a device that failed for a moment.
absl::Status MayPass(absl::Status status) {
  const bool passing = absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
  return passing ? WithRetryAfter(std::move(status), kStorePause) : status;
}

}  // namespace

absl::StatusOr<uint64_t> ModelManager::Publish(const std::string& name, const std::string& bundle_directory,
                                               const std::string& job_id) {
  KWTA_RETURN_IF_ERROR(ValidateName("model", name));
  absl::MutexLock loading(&loading_);
  const SteadyTime start = SteadyTime::Now();
  const absl::StatusOr<uint64_t> moved = VersionMoved(name, bundle_directory, job_id);
  if (!moved.ok()) return MayPass(moved.status());
  if (*moved != 0) return FinishPublish({name, *moved});
  // Load the bundle before moving it, so that a bundle that does not load never appears among the models.
  absl::StatusOr<std::shared_ptr<ServedModel>> loaded = loader_.Load(name, bundle_directory);
  absl::Status status = loaded.ok() ? CheckFits(name, (*loaded)->encoder->parameter_bytes()) : loaded.status();
  if (!status.ok()) {
    events_.load_failed(name, bundle_directory, status);
    return absl::IsUnavailable(status) ? MayPass(std::move(status)) : status;
  }
  const std::shared_ptr<ServedModel> model = *std::move(loaded);
  const int64_t bytes = model->encoder->parameter_bytes();
  const absl::StatusOr<ModelInfo> before = table_.Get(name);
  MakeRoom(bytes, {{name, before.ok() ? before->stable : 0}});
  {
    absl::MutexLock changing(&changing_);
    const absl::StatusOr<uint64_t> installed = directory_.Install(bundle_directory, name);
    if (!installed.ok()) {
      // A bundle that was moved is published, and must be finished whatever it takes.
      std::error_code error;
      if (std::filesystem::exists(bundle_directory, error)) return MayPass(installed.status());
      return WithRetryAfter(installed.status(), kStorePause);
    }
    model->version = *installed;
    model->directory = directory_.BundlePath(name, model->version);
    ModelVersionInfo info;
    info.name = name;
    info.version = model->version;
    info.directory = model->directory;
    table_.Put(std::move(info));
    // Labels may exist already, since another server of this directory may know the model.
    if (!before.ok()) {
      if (absl::StatusOr<ModelLabels> labels = directory_.ReadLabels(name); labels.ok()) {
        table_.SetLabels(name, *std::move(labels));
      }
    }
    if (events_.arriving) events_.arriving(model.get());
    table_.Serve(model);
  }
  MakeRoom(0, {{name, model->version}});
  EvictSuperseded(name);
  events_.loaded(name, model->version, SteadyTime::Now() - start);
  Tell(name);
  return model->version;
}

absl::StatusOr<uint64_t> ModelManager::VersionMoved(const std::string& name, const std::string& bundle_directory,
                                                    const std::string& job_id) {
  absl::StatusOr<uint64_t> version;
  std::string path;
  {
    absl::MutexLock changing(&changing_);
    version = directory_.VersionOfJob(name, job_id);
    if (version.ok() && *version != 0) path = directory_.BundlePath(name, *version);
  }
  if (std::error_code error; !std::filesystem::exists(bundle_directory, error)) return version;
  if (!version.ok() || *version == 0) return 0;
  // Another job of that id, from before the job store was replaced, may have made the version.
  const absl::StatusOr<v1::ModelDescription> left = ReadModelDescription(bundle_directory);
  const absl::StatusOr<v1::ModelDescription> there = ReadModelDescription(path);
  const bool same = left.ok() && there.ok() && google::protobuf::util::MessageDifferencer::Equals(*left, *there);
  return same ? *version : 0;
}

absl::StatusOr<uint64_t> ModelManager::FinishPublish(const VersionKey& key) {
  const auto& [name, version] = key;
  bool serves = false;
  {
    absl::MutexLock changing(&changing_);
    const absl::Status status = directory_.FinishInstall(name, version);
    if (!status.ok()) return WithRetryAfter(status, kStorePause);
    const absl::StatusOr<ModelVersionInfo> known = table_.Describe({name, version});
    serves = known.ok() && known->state == ModelState::kReady;
    if (!known.ok()) {
      ModelVersionInfo found = Look(key);
      found.state = ModelState::kLoading;
      table_.Put(std::move(found));
    }
  }
  if (!serves) LoadVersion(key).IgnoreError();  // the events report it; the version is published all the same
  EvictSuperseded(name);
  Tell(name);
  return version;
}

absl::StatusOr<ModelVersionInfo> ModelManager::Load(const std::string& name, uint64_t version, bool reload) {
  absl::MutexLock loading(&loading_);
  {
    // Somebody may have put the version there just now.
    absl::MutexLock changing(&changing_);
    KWTA_ASSIGN_OR_RETURN(const std::vector<ModelDirectory::Entry> entries, directory_.Scan());
    for (const ModelDirectory::Entry& entry : entries) {
      if (entry.name != name || entry.versions.empty()) continue;
      if (version == 0) version = entry.versions.back();
      const bool there = std::find(entry.versions.begin(), entry.versions.end(), version) != entry.versions.end();
      if (!there || table_.Describe({name, version}).ok()) continue;
      ModelVersionInfo found = Look({name, version});
      found.state = ModelState::kLoading;  // must not be served before it is loaded
      table_.Put(std::move(found));
    }
  }
  KWTA_ASSIGN_OR_RETURN(const ModelVersionInfo info, table_.Describe({name, version}));
  const VersionKey key(name, info.version);
  if (info.state == ModelState::kReady && !reload) return info;
  if (info.state == ModelState::kUnloaded || info.state == ModelState::kFailed) {
    table_.SetState(key, ModelState::kLoading);
  }
  KWTA_RETURN_IF_ERROR(LoadVersion(key).status());
  return table_.Describe({name, info.version});
}

absl::StatusOr<std::vector<uint64_t>> ModelManager::Unload(const std::string& name, uint64_t version) {
  absl::MutexLock loading(&loading_);
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, table_.Get(name));
  std::vector<uint64_t> unloaded;
  if (version != 0) KWTA_RETURN_IF_ERROR(table_.Describe({name, version}).status());
  for (const ModelVersionInfo& each : model.versions) {
    if (version != 0 && each.version != version) continue;
    table_.SetState({name, each.version}, ModelState::kUnloaded);
    unloaded.push_back(each.version);
  }
  Tell(name);
  return unloaded;
}

absl::StatusOr<ModelInfo> ModelManager::SetLabel(const std::string& name, const std::string& label, uint64_t version) {
  KWTA_RETURN_IF_ERROR(ValidateName("label", label));
  // Load before setting the label: callers that use the label must not wait, and no label may name a version that does
  // not load.
  if (version != 0) KWTA_RETURN_IF_ERROR(Load(name, version, /*reload=*/false).status());
  return WriteLabel(name, label, version);
}

absl::StatusOr<ModelInfo> ModelManager::WriteLabel(const std::string& name, const std::string& label,
                                                   uint64_t version) {
  {
    absl::MutexLock changing(&changing_);
    KWTA_ASSIGN_OR_RETURN(const ModelInfo model, table_.Get(name));
    if (version != 0) KWTA_RETURN_IF_ERROR(table_.Describe({name, version}).status());
    // The labels on disk count: another server of this directory may have set labels too.
    KWTA_ASSIGN_OR_RETURN(ModelLabels labels, directory_.ReadLabels(name));
    if (version == 0 && labels.set.count(label) == 0) {
      return absl::NotFoundError(absl::StrCat("label '", label, "' of model '", name, "' is not set"));
    }
    KWTA_ASSIGN_OR_RETURN(labels, WithLabel(std::move(labels), label, version, model.stable));
    KWTA_RETURN_IF_ERROR(directory_.WriteLabels(name, labels));
    table_.SetLabels(name, std::move(labels));
  }
  Tell(name);
  return table_.Get(name);
}

absl::StatusOr<ModelInfo> ModelManager::RollBack(const std::string& name) {
  KWTA_ASSIGN_OR_RETURN(const ModelInfo model, table_.Get(name));
  uint64_t target = 0;
  for (const ModelVersionInfo& each : model.versions) {
    if (each.version == model.labels.previous_stable && each.version != model.stable) {
      target = each.version;
      break;
    }
    if (each.usable() && each.version < model.stable) target = each.version;
  }
  if (target == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("model '", name, "' serves version ", model.stable, ", and there is no version before it to ",
                     "return to; set label 'stable' to the version that shall be served"));
  }
  return SetLabel(name, kStableLabel, target);
}

absl::StatusOr<std::vector<uint64_t>> ModelManager::Delete(const std::string& name, uint64_t version) {
  absl::MutexLock loading(&loading_);
  std::vector<uint64_t> doomed;
  {
    absl::MutexLock changing(&changing_);
    KWTA_ASSIGN_OR_RETURN(const ModelInfo model, table_.Get(name));
    if (version == 0 && model.versions.empty()) {
      return absl::FailedPreconditionError(absl::StrCat("model '", name, "' has no version to delete; remove by hand ",
                                                        "what is left of it: ", absl::StrJoin(model.problems, "; ")));
    }
    if (version == 0) {
      for (const ModelVersionInfo& each : model.versions) doomed.push_back(each.version);
      if (!model.labels.set.empty()) KWTA_RETURN_IF_ERROR(directory_.WriteLabels(name, ModelLabels()));
    } else {
      KWTA_RETURN_IF_ERROR(table_.Describe({name, version}).status());
      for (const auto& [label, named] : model.labels.set) {
        if (named != version) continue;
        return absl::FailedPreconditionError(absl::StrCat("label '", label, "' of model '", name, "' names version ",
                                                          version, "; set it to another version, or remove it, first"));
      }
      doomed.push_back(version);
    }
    for (const uint64_t each : doomed) {
      KWTA_RETURN_IF_ERROR(directory_.Remove(name, each));
      table_.Remove({name, each});
      arrivals_.erase({name, each});
    }
  }
  Tell(name);
  return doomed;
}

}  // namespace kwta::server
