// What is measured about the use of one version of a model.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/encoders/encoder.h"
#include "core/tensors/codes.h"
#include "kwta/v1/encoder.pb.h"
#include "server/metrics/activity_window.h"
#include "server/metrics/bucket_counts.h"
#include "server/metrics/collection.h"
#include "server/metrics/families.h"
#include "server/metrics/sample_error.h"

namespace kwta::server {

// Rows of the window over which kwta_dead_units counts, and of the sample that measures drift.
inline constexpr int64_t kActivityWindowRows = 10000;
inline constexpr int64_t kDriftSampleRows = 256;

// The methods that compute with a model, in the order of their counters.
inline constexpr const char* kComputingMethods[] = {"Encode", "EncodeStream", "Reconstruct", "ModelInfer",
                                                    "ModelStreamInfer"};
inline constexpr size_t kComputingMethodCount = std::size(kComputingMethods);

// Counters of answers by status code.
class AnswerCounts {
 public:
  void Add(absl::StatusCode code) { counts_[static_cast<size_t>(code)].fetch_add(1, std::memory_order_relaxed); }
  // Adds the counts to kwta_requests_total: OK always, the usual errors from the first answer on, others once they
  // happened. So the first error of a method that is in use is a rise from zero.
  void Collect(const SampleLabels& labels, Collection* collection) const;

 private:
  static constexpr size_t kCodes = 17;                  // of absl::StatusCode
  std::array<std::atomic<uint64_t>, kCodes> counts_{};  // by code
};

// The times and batches of a model, whatever its version. Thread-safe.
struct ModelTimes {
  BucketCounts queue_seconds{SecondsBounds()};
  BucketCounts compute_seconds{SecondsBounds()};
  BucketCounts batch_rows{RowsBounds()};
};

// How a version's units are used, for those who draw it.
struct ModelActivity {
  uint64_t version = 0;
  UnitCounts counts;                // of the last complete window, or of the current one until one is complete
  bool complete = false;            // counts are of a complete window
  double live_unexplained = 0;      // see kwta_live_fraction_variance_unexplained
  double training_unexplained = 0;  // see kwta_training_fraction_variance_unexplained
  uint64_t drift_rows = 0;          // rows in the sample so far
};

// Thread-safe. Whoever holds a version in memory holds its ModelUse, so that recording needs no look-up.
class ModelUse {
 public:
  ModelUse(std::string model, uint64_t version, std::shared_ptr<ModelTimes> times);
  ModelUse(const ModelUse&) = delete;
  ModelUse& operator=(const ModelUse&) = delete;

  const std::string& model() const { return model_; }
  uint64_t version() const { return version_; }
  ModelTimes& times() { return *times_; }
  AnswerCounts& answers(size_t computing_method) { return answers_[computing_method]; }

  // Tells what the version is, and that it was loaded. Codes of another width than before start a new window.
  void Describe(const v1::ModelDescription& description, int64_t code_width);
  // Learns how the version's codes are found now. Returns true if that or their place has changed since the last call.
  // Cheap if not.
  bool NotePath(const Encoder& encoder);
  void Loaded(double seconds) { last_load_seconds_.store(seconds, std::memory_order_relaxed); }
  void SetMemory(int64_t bytes) { memory_bytes_.store(bytes, std::memory_order_relaxed); }

  // Records the codes of encoded rows.
  void Encoded(const Codes& codes);
  // True if one of the next `rows` rows is to be sampled; sets `which` to it. Use it from one thread.
  bool SampleOneOf(int64_t rows, int64_t* which);
  // Records a sampled row x[width] and its reconstruction.
  void Sampled(const float* x, const float* xhat, int64_t width);
  // The fraction that training left unexplained; 0 if there is nothing to compare with.
  double training_unexplained() const;

  ModelActivity Activity() const;
  void Collect(Collection* collection) const;

 private:
  SampleLabels Labels() const;

  const std::string model_;
  const uint64_t version_;
  const std::shared_ptr<ModelTimes> times_;
  std::array<AnswerCounts, kComputingMethodCount> answers_;
  std::atomic<uint64_t> rows_encoded_{0};
  std::atomic<int64_t> memory_bytes_{0};
  std::atomic<double> last_load_seconds_{0};
  std::atomic<uint64_t> path_changes_{UINT64_MAX};  // of the encoder, when its path was last noted
  int64_t rows_to_sample_ = 0;                      // until the next row that is sampled
  BucketCounts frequencies_{ActivationFrequencyBounds()};

  mutable absl::Mutex mutex_;
  v1::ModelDescription description_ ABSL_GUARDED_BY(mutex_);
  std::string path_ ABSL_GUARDED_BY(mutex_);  // empty if there is no choice
  std::unique_ptr<ActivityWindow> window_ ABSL_GUARDED_BY(mutex_);
  uint64_t windows_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t dead_units_ ABSL_GUARDED_BY(mutex_) = 0;
  SampleError sample_ ABSL_GUARDED_BY(mutex_){kDriftSampleRows};
  uint64_t sampled_rows_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kwta::server
