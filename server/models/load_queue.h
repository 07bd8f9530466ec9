// The callers that wait for a version to load.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/models/model_table.h"

namespace kwta::server {

// Thread-safe. Versions load one at a time, on the thread that Start starts or on the thread that calls RunOne.
class LoadQueue {
 public:
  using Load = std::function<absl::StatusOr<ServedModelPtr>(const VersionKey&)>;
  using Done = std::function<void(absl::StatusOr<ServedModelPtr>)>;

  explicit LoadQueue(Load load) : load_(std::move(load)) {}
  // Stops.
  ~LoadQueue() { Stop(); }

  // Calls `done` once, from the loading thread, with the result of `load`. All callers that wait for one version share
  // one load. After Stop, calls `done` at once with UNAVAILABLE.
  void Add(const VersionKey& key, Done done);

  // Loads the next version. Returns false if no caller waits.
  bool RunOne();

  void Start();
  // Ends the thread after the current load. Callers that wait for other versions get UNAVAILABLE.
  void Stop();

 private:
  void Run();
  bool HasWorkOrStops() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !order_.empty() || stopped_; }

  const Load load_;
  absl::Mutex mutex_;
  std::deque<VersionKey> order_ ABSL_GUARDED_BY(mutex_);  // the keys of waiting_
  std::map<VersionKey, std::vector<Done>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace kwta::server
