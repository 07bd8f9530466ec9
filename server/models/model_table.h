// Tracks which versions exist, the state of each, and which one a caller means. Does not touch files or load: see
// ModelManager.
//
// A label names one version of a model. Every model has two labels: "stable", which callers get if they name neither
// version nor label, and "canary". Until somebody sets them, both mean the newest version that can serve, that is, one
// that is in memory or evicted. So a new version is served as soon as it is ready. After "stable" is set, "canary"
// still follows the newest.
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
  // The version that a selector means. `served` is null if the version is evicted.
  struct Found {
    uint64_t version = 0;
    ServedModelPtr served;
  };
  // Errors: INVALID_ARGUMENT (both version and label), NOT_FOUND (model, version, label), UNAVAILABLE (it is loading
  // for the first time), FAILED_PRECONDITION (unloaded, failed, or a label names it and it is gone).
  absl::StatusOr<Found> Find(const ModelSelector& selector) const;
  // Describes the version that `selector` means, in whatever state it is.
  absl::StatusOr<ModelVersionInfo> Describe(const ModelSelector& selector) const;

  // Get one model or all models that have versions or problems.
  absl::StatusOr<ModelInfo> Get(absl::string_view name) const;
  std::vector<ModelInfo> List() const;
  // The number of models that can serve some version.
  size_t size() const;
  // Bytes of the parameters in memory.
  int64_t loaded_bytes() const;

  // Records a version in the state that `info` gives. Replaces what was known of it.
  void Put(ModelVersionInfo info);
  // Puts the version into memory in place of the old one. Returns false and changes nothing if the table lacks the
  // version.
  bool Serve(ServedModelPtr model);
  // Marks the version as not in memory; does nothing if the table lacks the version.
  void SetState(const VersionKey& key, ModelState state);
  // Records that a version did not load. A version in memory keeps serving; an evicted version that may load later
  // (UNAVAILABLE) stays evicted; any other becomes failed.
  void Fail(const VersionKey& key, const absl::Status& failure);
  // Forgets the version. Forgets the model together with its last version.
  void Remove(const VersionKey& key);
  void SetLabels(const std::string& name, ModelLabels labels);
  // Records what is set aside of a model, which may have no versions. Returns false if this was known already.
  bool SetProblems(const std::string& name, std::vector<std::string> problems);

  // Returns the version in memory, outside `spared`, whose last use is oldest.
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
  // Returns the version that a label means; null if there is none.
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
