// Which versions there are, where each stands, and which one a caller means. No files and no loading: see ModelManager.
//
// Labels. A label names one version of a model. Two labels every model has: "stable", which is what a caller gets who
// names neither version nor label, and "canary". As long as nobody has set them, both mean the newest version that can
// serve: one that is in memory or evicted. So a new version is served as soon as it is ready; and once "stable" was
// set, "canary" still follows the newest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/models/served_model.h"

namespace kwta::server {

using VersionKey = std::pair<std::string, uint64_t>;  // model, version

// Thread-safe. No method takes long.
class ModelTable {
 public:
  // What a selector means. `served` is null if the version is evicted.
  struct Found {
    uint64_t version = 0;
    ServedModelPtr served;
  };
  // Errors: INVALID_ARGUMENT (version and label), NOT_FOUND (model, version, label), UNAVAILABLE (it is loading for the
  // first time), FAILED_PRECONDITION (unloaded, failed, or named by a label and gone).
  absl::StatusOr<Found> Find(const ModelSelector& selector) const;
  // The same version, wherever it stands.
  absl::StatusOr<ModelVersionInfo> Describe(const ModelSelector& selector) const;

  // Models with versions, or with problems.
  absl::StatusOr<ModelInfo> Get(absl::string_view name) const;
  std::vector<ModelInfo> List() const;
  // Models that can serve some version.
  size_t size() const;
  // Bytes of the parameters in memory.
  int64_t loaded_bytes() const;

  // A version was found; `info` says where it stands. Replaces what was known of it.
  void Put(ModelVersionInfo info);
  // It is in memory from now on, in place of what was. False, and nothing changes, if the version is not in the table.
  bool Serve(ServedModelPtr model);
  // It is not in memory from now on; does nothing if the version is not in the table.
  void SetState(const VersionKey& key, ModelState state);
  // It did not load: what is in memory goes on serving; an evicted version that may load later (UNAVAILABLE) stays
  // that; any other has failed.
  void Fail(const VersionKey& key, const absl::Status& failure);
  // Forgets the version, and the model with its last version.
  void Remove(const VersionKey& key);
  void SetLabels(const std::string& name, ModelLabels labels);
  // What is set aside of a model, which need not have any version. False if that was known.
  bool SetProblems(const std::string& name, std::vector<std::string> problems);

  // The version in memory that was asked for least recently and is not `spared`.
  std::optional<VersionKey> LeastRecentlyUsed(const std::vector<VersionKey>& spared) const;

 private:
  struct Version {
    ModelVersionInfo info;
    ServedModelPtr served;  // set if kReady
  };
  using Versions = std::map<uint64_t, Version>;
  struct Model {
    Versions versions;  // not empty
    ModelLabels labels;
  };

  absl::StatusOr<const Version*> Resolve(const ModelSelector& selector) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  static const Version* NewestUsable(const Model& model);
  // The version that a label means; null if there is none.
  static const Version* Labelled(const Model& model, absl::string_view label);
  static ModelVersionInfo InfoOf(const Model& model, const Version& version);
  ModelInfo InfoOf(const std::string& name) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  Version* Locate(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Touch(const ServedModel& model) const;

  mutable absl::Mutex mutex_;
  std::map<std::string, Model, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>, std::less<>> problems_ ABSL_GUARDED_BY(mutex_);  // none is empty
  mutable std::atomic<uint64_t> uses_{0};
};

}  // namespace kwta::server
