// The models of a directory: which versions there are, which are in memory, which one a caller gets.
//
// In memory stay the versions that labels name, the newest, and the one served before it, to which a roll back returns;
// others are evicted when a newer one comes, and so is what was used least recently when memory_bytes is reached. Who
// asks for an evicted version waits until it is loaded again; who holds a version keeps it whatever happens.
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
#include "absl/time/time.h"
#include "core/base/steady_time.h"
#include "server/models/load_queue.h"
#include "server/models/model_directory.h"
#include "server/models/model_loader.h"
#include "server/models/model_table.h"
#include "server/models/served_model.h"

namespace kwta::server {

struct ModelManagerOptions {
  // Of parameters in memory; 0: no limit. While a new version is loaded, the one that its model serves stays, and the
  // limit may be passed by that much.
  int64_t memory_bytes = 0;
  // Largest batch that a version is warmed up for.
  int64_t warm_up_rows = 256;
  // A bundle that was put into the directory is taken once its files have not changed for so long.
  absl::Duration settle = absl::Seconds(1);
};

// Thread-safe. Loading and changing take turns among themselves and keep nobody waiting who asks for what is in memory.
class ModelManager {
 public:
  struct Events {
    std::function<void(const std::string& model, uint64_t version)> serving;  // by default, from now on
    std::function<void(const std::string& model)> removed;                    // no version is left
    std::function<void(const ModelInfo& model)> changed;                      // anything about it
    std::function<void(const std::string& model, const std::string& path, const absl::Status&)> load_failed;
    std::function<void(const std::string& model, uint64_t version, absl::Duration took)> loaded;
    std::function<void(const std::string& model, uint64_t version)> evicted;
    // Something of the model is set aside from now on; once for each reason.
    std::function<void(const std::string& model, const std::string& problem)> set_aside;
  };

  // Loads, of each model in `directory`, the versions that labels name and the newest that loads. Events are called
  // from then on, by whoever makes a change; they must not call the manager. What cannot be read of a model is set
  // aside. Errors: those of the directory itself.
  static absl::StatusOr<std::unique_ptr<ModelManager>> Open(const std::string& directory,
                                                            const ModelManagerOptions& options,
                                                            ModelLoader::Create create, Events events);

  // The thread on which evicted versions are loaded for GetWhenLoaded. Stop answers those who wait.
  void Start() { waiting_.Start(); }
  void Stop() { waiting_.Stop(); }

  // The version that `selector` means, loaded again if it is evicted. Errors: those of ModelTable::Find, and why it
  // does not load.
  absl::StatusOr<ServedModelPtr> Get(const ModelSelector& selector);
  // The same without waiting: `done` is called once, at once unless the version is evicted.
  void GetWhenLoaded(const ModelSelector& selector, LoadQueue::Done done);

  // What is known of versions, whether in memory or not. Errors: INVALID_ARGUMENT, NOT_FOUND.
  absl::StatusOr<ModelVersionInfo> Describe(const ModelSelector& selector) const { return table_.Describe(selector); }
  absl::StatusOr<ModelInfo> Info(absl::string_view name) const { return table_.Get(name); }
  std::vector<ModelInfo> List() const { return table_.List(); }
  // Models that can serve some version.
  size_t size() const { return table_.size(); }
  // The version of `name` that `job_id` made; 0 if there is none.
  uint64_t VersionOfJob(absl::string_view name, absl::string_view job_id) const;
  // Where the versions of `name` are.
  std::string DirectoryOf(const std::string& name) const { return root_ + "/" + name; }

  // Loads the bundle at `bundle_directory`, which job `job_id` has made, and moves it to be the next version of `name`.
  // May be repeated after an error: a bundle that was moved before that is found, and finished. Until it is moved it
  // stays where it is, and what was served is served. Errors: DATA_LOSS (does not load, or last_version is damaged),
  // FAILED_PRECONDITION (memory_bytes), OUT_OF_RANGE, PERMISSION_DENIED; those of the file system that may pass come
  // with a RetryAfter.
  absl::StatusOr<uint64_t> Publish(const std::string& name, const std::string& bundle_directory,
                                   const std::string& job_id);
  // Loads a version, or the newest on disk (version 0), unless it is in memory; with `reload`, reads it again even so,
  // and the old one serves until that is done, or goes on if it fails. Errors: NOT_FOUND, and why it does not load.
  absl::StatusOr<ModelVersionInfo> Load(const std::string& name, uint64_t version, bool reload);
  // Takes a version, or all (version 0), out of memory and out of use until Load or a restart; says which.
  absl::StatusOr<std::vector<uint64_t>> Unload(const std::string& name, uint64_t version);
  // Sets a label, after the version is loaded, or takes it away (version 0). Errors: INVALID_ARGUMENT (form of the
  // label), NOT_FOUND, RESOURCE_EXHAUSTED (too many labels), and why the version does not load: the label then stays.
  absl::StatusOr<ModelInfo> SetLabel(const std::string& name, const std::string& label, uint64_t version);
  // Sets "stable" to what it was before, or else to the version before. Errors: FAILED_PRECONDITION (there is none).
  absl::StatusOr<ModelInfo> RollBack(const std::string& name);
  // Deletes a version, or all (version 0), and says which. Errors: NOT_FOUND, FAILED_PRECONDITION (a label was set to
  // it), and those of the file system.
  absl::StatusOr<std::vector<uint64_t>> Delete(const std::string& name, uint64_t version);

  // Looks for what others did to the directory: bundles that came or went, and labels. True if a bundle is there that
  // has not settled: to be called again then. Errors: those of the file system; nothing is changed then.
  absl::StatusOr<bool> Rescan(SteadyTime now);

 private:
  // A bundle that is not served: how it looked, since when, and how it looked when loading it failed.
  struct Arrival {
    std::string fingerprint;
    SteadyTime since;
    std::string tried;
  };

  ModelManager(const std::string& directory, const ModelManagerOptions& options, ModelLoader::Create create,
               Events events);

  void LoadAtStart(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::StatusOr<ServedModelPtr> LoadIfNeeded(const VersionKey& key) ABSL_LOCKS_EXCLUDED(loading_);
  absl::StatusOr<ServedModelPtr> LoadVersion(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::StatusOr<std::shared_ptr<ServedModel>> LoadWithin(const ModelVersionInfo& info)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::Status CheckFits(const std::string& name, int64_t bytes) const;
  void MakeRoom(int64_t bytes, const std::vector<VersionKey>& spared) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  void EvictSuperseded(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  void Evict(const VersionKey& key);
  // What can be known without loading.
  ModelVersionInfo Look(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  // Goes on with a version that a Publish before this one has moved.
  absl::StatusOr<uint64_t> FinishPublish(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  // What Scan and the labels have to say of a model. True if that has changed.
  bool NoteProblems(const ModelDirectory::Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  absl::StatusOr<ModelInfo> WriteLabel(const std::string& name, const std::string& label, uint64_t version);
  // Bundles in the directory that are to be tried now; see Rescan.
  absl::StatusOr<std::vector<VersionKey>> TakeArrivals(SteadyTime now, bool* unsettled);
  // Whether a version that arrived is to be loaded at once: it is newer than all that serve, or a label names it.
  // Others are loaded when somebody asks for them.
  bool IsWanted(const VersionKey& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  void Tell(const std::string& name);
  // For callers, who need not know where on this machine models are.
  absl::Status WithoutRoot(const absl::Status& status) const;

  const std::string root_;
  const ModelManagerOptions options_;
  const ModelLoader loader_;
  const Events events_;
  ModelTable table_;
  absl::Mutex loading_ ABSL_ACQUIRED_BEFORE(changing_);  // Held while a version is loaded.
  absl::Mutex changing_ ABSL_ACQUIRED_BEFORE(telling_);  // Held while the directory changes.
  ModelDirectory directory_ ABSL_GUARDED_BY(changing_);
  std::map<VersionKey, Arrival> arrivals_ ABSL_GUARDED_BY(changing_);
  absl::Mutex telling_;  // Held while events are called.
  std::map<std::string, uint64_t> told_stable_ ABSL_GUARDED_BY(telling_);
  LoadQueue waiting_;
};

}  // namespace kwta::server
