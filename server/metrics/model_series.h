// The series of all models: they come with a version in memory, and go when it is unloaded or deleted.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/bucket_counts.h"
#include "server/metrics/collection.h"
#include "server/metrics/model_use.h"
#include "server/models/served_model.h"

namespace kwta::server {

// Thread-safe.
class ModelSeries {
 public:
  ModelSeries();

  // Returns what measures `model`, which was just loaded. A version that was in memory before continues its series.
  std::shared_ptr<ModelUse> UseOf(const ServedModel& model);
  // What stands for requests whose model does not serve.
  AnswerCounts& unknown(size_t computing_method) { return unknown_.answers(computing_method); }

  // Sets what is known of a model. Drops the series of versions that are neither in memory, nor on their way to it or
  // back to it.
  void Set(const ModelInfo& model);
  void SetServing(const std::string& model, uint64_t version);
  // Drops every series of `model`.
  void Remove(const std::string& model);
  void Loaded(const std::string& model, uint64_t version, double seconds);
  void Evicted(const std::string& model);
  void LoadFailed(absl::StatusCode code);

  // Returns null if the version has no series.
  std::shared_ptr<const ModelUse> Find(const std::string& model, uint64_t version) const;

  void Collect(Collection* collection) const;

 private:
  struct Model {
    uint64_t serving = 0;
    std::map<std::string, int> versions_by_state;
    uint64_t evictions = 0;
    int problems = 0;
    std::shared_ptr<ModelTimes> times = std::make_shared<ModelTimes>();
    std::map<uint64_t, std::shared_ptr<ModelUse>> uses;
  };

  ModelUse unknown_;
  BucketCounts load_seconds_{SecondsBounds()};
  mutable absl::Mutex mutex_;
  std::map<std::string, Model> models_ ABSL_GUARDED_BY(mutex_);
  std::map<absl::StatusCode, uint64_t> load_failures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
