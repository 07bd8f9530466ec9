// The models being served: every version on disk is loaded at the start and stays loaded until it is deleted.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/encoders/encoder.h"
#include "kwta/v1/encoder.pb.h"
#include "server/models/model_directory.h"

namespace kwta::server {

// One version of a model. Whoever holds it may go on using it, also after it was replaced or deleted.
struct ServedModel {
  std::string name;
  uint64_t version = 0;
  std::string directory;  // its bundle; gone once it is deleted
  v1::ModelDescription description;
  std::shared_ptr<const Encoder> encoder;
};
using ServedModelPtr = std::shared_ptr<const ServedModel>;

// Thread-safe. Get and List never wait for a model to load.
class ModelManager {
 public:
  using Loader = std::function<absl::StatusOr<std::shared_ptr<const Encoder>>(const ModelBundle&)>;
  struct Events {
    std::function<void(const std::string& model, uint64_t version)> serving;  // `version` is served from now on
    std::function<void(const std::string& model)> removed;                    // no version is left
    std::function<void(const std::string& bundle, const absl::Status&)> load_failed;
  };

  // Loads what is in `directory`. A bundle that does not load is reported to events.load_failed and skipped. Events are
  // called one at a time; they must not call the manager.
  static absl::StatusOr<std::unique_ptr<ModelManager>> Open(const std::string& directory, Loader loader, Events events);

  // `version` of model `name`; 0 takes the newest. Errors: NOT_FOUND saying what there is.
  absl::StatusOr<ServedModelPtr> Get(absl::string_view name, uint64_t version) const;
  // All versions of model `name`, oldest first. Errors: NOT_FOUND.
  absl::StatusOr<std::vector<ServedModelPtr>> Versions(absl::string_view name) const;
  // All versions of all models, by name, oldest first.
  std::vector<ServedModelPtr> List() const;
  // Models, not versions.
  size_t size() const;
  // The version of `name` that `job_id` made; 0 if there is none.
  uint64_t VersionOfJob(absl::string_view name, absl::string_view job_id) const;

  // Loads the bundle at `bundle_directory`, moves it to be the next version of `name` and serves it. The bundle stays
  // where it is if that fails. Errors: NOT_FOUND, DATA_LOSS (does not load), and those of the file system.
  absl::StatusOr<uint64_t> Publish(const std::string& name, const std::string& bundle_directory);

  // Deletes a version, or all (version 0), and says which. Errors: NOT_FOUND, and those of the file system.
  absl::StatusOr<std::vector<uint64_t>> Delete(const std::string& name, uint64_t version);

 private:
  ModelManager(const std::string& directory, Loader loader, Events events);
  absl::StatusOr<ServedModelPtr> Load(const std::string& name, uint64_t version, const std::string& path) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  absl::Status UnknownModel(absl::string_view name) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const Loader loader_;
  const Events events_;
  absl::Mutex changing_ ABSL_ACQUIRED_BEFORE(mutex_);  // Held while the directory changes.
  ModelDirectory directory_ ABSL_GUARDED_BY(changing_);
  mutable absl::Mutex mutex_;
  std::map<std::string, std::map<uint64_t, ServedModelPtr>, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
