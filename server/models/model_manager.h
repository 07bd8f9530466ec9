// Manages the models of a directory: which versions exist, which are in memory, and which one a caller gets.
//
// These versions stay in memory: those that labels name, the newest, and the one served before it, to which a rollback
// returns. The manager evicts others when a newer version comes. When memory_bytes is reached, it evicts the least
// recently used. A caller that asks for an evicted version waits until it is loaded again. A caller that holds a
// version keeps it whatever happens.
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
  // Limit on parameters in memory; 0: no limit. While a new version loads, the one that its model serves stays in
  // memory, and the total may exceed the limit by that much.
  int64_t memory_bytes = 0;
  // The largest batch for which a version is warmed up.
  int64_t warm_up_rows = 256;
  // How long the files of a bundle put into the directory must stay unchanged before the manager takes it.
  absl::Duration settle = absl::Seconds(1);
  // Returns true once the process is to end: loads then stop where they are. Any thread may call it; may be empty.
  std::function<bool()> stopping;
};

// Thread-safe. Loads and changes take turns with each other. They never delay a caller that asks for a version in
// memory.
class ModelManager {
 public:
  struct Events {
    // A version is in memory, and nobody has it yet. May be empty.
    std::function<void(ServedModel* model)> arriving;
    std::function<void(const std::string& model, uint64_t version)> serving;  // now served by default
    std::function<void(const std::string& model)> removed;                    // no version is left
    std::function<void(const ModelInfo& model)> changed;                      // anything about the model changed
    std::function<void(const std::string& model, const std::string& path, const absl::Status&)> load_failed;
    std::function<void(const std::string& model, uint64_t version, absl::Duration took)> loaded;
    std::function<void(const std::string& model, uint64_t version)> evicted;
    // Something of the model is now set aside. Called once for each reason.
    std::function<void(const std::string& model, const std::string& problem)> set_aside;
  };

  // Opens `directory`. For each model, loads the versions that labels name and the newest version that loads, and sets
  // aside what cannot be read. From then on, the thread that makes a change calls the events, which must not call the
  // manager. Errors: those of the directory itself; CANCELLED (options.stopping).
  static absl::StatusOr<std::unique_ptr<ModelManager>> Open(const std::string& directory,
                                                            const ModelManagerOptions& options,
                                                            ModelLoader::Create create, Events events);

  // Starts the thread that loads evicted versions for GetWhenLoaded. Stop answers the callers that wait.
  void Start() { waiting_.Start(); }
  void Stop() { waiting_.Stop(); }

  // Returns the version that `selector` means; loads it again if it is evicted. Errors: those of ModelTable::Find, and
  // the reason why the version does not load.
  absl::StatusOr<ServedModelPtr> Get(const ModelSelector& selector);
  // Does the same without waiting: calls `done` once, at once unless the version is evicted.
  void GetWhenLoaded(const ModelSelector& selector, LoadQueue::Done done);

  // Describe versions, whether in memory or not. Errors: INVALID_ARGUMENT, NOT_FOUND.
  absl::StatusOr<ModelVersionInfo> Describe(const ModelSelector& selector) const { return table_.Describe(selector); }
  absl::StatusOr<ModelInfo> Info(absl::string_view name) const { return table_.Get(name); }
  std::vector<ModelInfo> List() const { return table_.List(); }
  // The number of models that can serve some version.
  size_t size() const { return table_.size(); }
  // Returns the version of `name` that `job_id` made; 0 if there is none.
  uint64_t VersionOfJob(absl::string_view name, absl::string_view job_id) const;
  // Removes the path of the root from an error, since callers need not know where on this machine models are.
  absl::Status WithoutRoot(const absl::Status& status) const;
  // The directory that holds the versions of `name`.
  std::string DirectoryOf(const std::string& name) const { return root_ + "/" + name; }

  // Loads the bundle that job `job_id` made at `bundle_directory` and moves it to be the next version of `name`. May be
  // repeated after an error: it finds and finishes a bundle that was already moved. Until the bundle is moved, it stays
  // in place, and the served versions stay served. Errors: DATA_LOSS (the bundle does not load, or last_version is
  // damaged), FAILED_PRECONDITION (memory_bytes), OUT_OF_RANGE, PERMISSION_DENIED; transient errors of the file system
  // carry a RetryAfter.
  absl::StatusOr<uint64_t> Publish(const std::string& name, const std::string& bundle_directory,
                                   const std::string& job_id);
  // Loads a version, or the newest on disk (version 0), unless it is in memory. With `reload`, reads it again even
  // then: the old one serves until the new one is ready, and continues if loading fails. Errors: NOT_FOUND, and the
  // reason why the version does not load.
  absl::StatusOr<ModelVersionInfo> Load(const std::string& name, uint64_t version, bool reload);
  // Takes a version, or all (version 0), out of memory and out of use until Load or a restart. Returns those versions.
  absl::StatusOr<std::vector<uint64_t>> Unload(const std::string& name, uint64_t version);
  // Loads the version and sets a label to it, or removes the label (version 0). Errors: INVALID_ARGUMENT (malformed
  // label), NOT_FOUND, RESOURCE_EXHAUSTED (too many labels), and the reason why the version does not load; the label
  // then stays.
  absl::StatusOr<ModelInfo> SetLabel(const std::string& name, const std::string& label, uint64_t version);
  // Sets "stable" to its previous version, or else to the version before. Errors: FAILED_PRECONDITION (there is none).
  absl::StatusOr<ModelInfo> RollBack(const std::string& name);
  // Deletes a version, or all (version 0), and returns those versions. Errors: NOT_FOUND, FAILED_PRECONDITION (a label
  // was set to it), and those of the file system.
  absl::StatusOr<std::vector<uint64_t>> Delete(const std::string& name, uint64_t version);

  // Looks for changes that others made to the directory: bundles that came or went, and labels. Returns true if a
  // bundle has not settled; call Rescan again then. Errors: those of the file system; nothing changes then.
  absl::StatusOr<bool> Rescan(SteadyTime now);

 private:
  // A bundle that is not served: its fingerprint, since when, and its fingerprint when it failed to load.
  struct Arrival {
    std::string fingerprint;
    SteadyTime since;
    std::string tried;
  };

  ModelManager(const std::string& directory, const ModelManagerOptions& options, ModelLoader::Create create,
               Events events);

  bool Stopping() const { return options_.stopping && options_.stopping(); }
  void LoadAtStart(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::StatusOr<ServedModelPtr> LoadIfNeeded(const VersionKey& key) ABSL_LOCKS_EXCLUDED(loading_);
  absl::StatusOr<ServedModelPtr> LoadVersion(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::StatusOr<std::shared_ptr<ServedModel>> LoadWithin(const ModelVersionInfo& info)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  absl::Status CheckFits(const std::string& name, int64_t bytes) const;
  void MakeRoom(int64_t bytes, const std::vector<VersionKey>& spared) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  void EvictSuperseded(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  void Evict(const VersionKey& key);
  // Returns what can be known without loading.
  ModelVersionInfo Look(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  // Returns the version that an earlier Publish made of the job's bundle; 0 if there is none. The bundle may still be
  // there: between file systems it is copied, and the server may have been killed before it removed the original.
  absl::StatusOr<uint64_t> VersionMoved(const std::string& name, const std::string& bundle_directory,
                                        const std::string& job_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  // Continues with a version that an earlier Publish has moved.
  absl::StatusOr<uint64_t> FinishPublish(const VersionKey& key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(loading_);
  // Records the problems that Scan and the labels show for a model. Returns true if they changed.
  bool NoteProblems(const ModelDirectory::Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  absl::StatusOr<ModelInfo> WriteLabel(const std::string& name, const std::string& label, uint64_t version);
  // Returns the bundles in the directory to try now; see Rescan.
  absl::StatusOr<std::vector<VersionKey>> TakeArrivals(SteadyTime now, bool* unsettled);
  // True if a version that arrived should load at once: it is newer than all that serve, or a label names it. Others
  // load when somebody asks for them.
  bool IsWanted(const VersionKey& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(changing_);
  void Tell(const std::string& name);
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
