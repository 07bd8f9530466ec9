// The series of calls: by method and status, and refusals by reason.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "server/metrics/bucket_counts.h"
#include "server/metrics/collection.h"
#include "server/metrics/model_series.h"
#include "server/refusal.h"

namespace kwta::server {

// What a request computes with; the request's handler fills it in. Until then the request has no model.
struct RequestSubject {
  std::shared_ptr<ModelUse> model;
  bool unknown = false;  // the model that the request names does not serve
};

// Thread-safe.
class CallSeries {
 public:
  // REQUIRES: models outlives the series.
  explicit CallSeries(ModelSeries* models);

  // Makes a method's counter, so that it starts at zero. Methods that compute with a model have theirs, and histograms
  // that start at zero; others show theirs from the first timed call on.
  void AddMethod(absl::string_view method);

  // See Metrics::CallDone.
  void Done(absl::string_view method, const absl::Status& status, std::optional<double> seconds,
            const RequestSubject& subject);
  void Refuse(Refusal refusal) { refusals_[static_cast<size_t>(refusal)].fetch_add(1, std::memory_order_relaxed); }

  // The reasons for which calls were refused, and how many of them.
  std::map<std::string, uint64_t> Refusals() const;

  // Answers to Encode, and to requests of EncodeStream.
  uint64_t encode_requests() const { return encode_requests_.load(std::memory_order_relaxed); }

  void Collect(Collection* collection) const;

 private:
  struct Method {
    std::optional<size_t> computing;  // index in kComputingMethods
    AnswerCounts answers;             // of calls without a model
    BucketCounts seconds{SecondsBounds()};
  };
  Method& Find(absl::string_view name);
  Method& Make(absl::string_view name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  ModelSeries* const models_;
  std::array<std::atomic<uint64_t>, kRefusals> refusals_{};
  std::atomic<uint64_t> encode_requests_{0};
  mutable absl::Mutex mutex_;
  // None is ever removed: methods are those of the program.
  std::map<std::string, std::unique_ptr<Method>, std::less<>> methods_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
