// Multinomial logistic regression on fixed features: how good features are, by how well a linear classifier does on
// them. "k-Sparse Autoencoders", section 4.4: "we fixed the features and trained a logistic regression classifier".
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/thread_pool.h"
#include "core/evaluation/feature_rows.h"

namespace kwta {

struct SoftmaxProbeOptions {
  // Passes over the rows, of a schedule of schedule_epochs over which the rate falls linearly to zero.
  // epochs < schedule_epochs stops the schedule early.
  int epochs = 20;
  int schedule_epochs = 20;
  int batch_size = 100;
  // Of Adam, in units of weights on features scaled to a root mean square row length of 1.
  double learning_rate = 0.05;
  // The objective is mean cross-entropy + l2 / 2 * |weights|^2, the weights being those on the scaled features.
  double l2 = 1e-5;
  uint64_t seed = 1;
};

// Rows with classes 0 .. classes - 1.
struct LabelledFeatures {
  const FeatureRows* features = nullptr;
  absl::Span<const int32_t> labels;  // one a row
  int classes = 0;
};

// A trained classifier. Immutable and thread-safe.
class SoftmaxProbe {
 public:
  // Called after each epoch with the epochs done and the classifier so far; may be empty.
  using AfterEpoch = std::function<void(int, const SoftmaxProbe&)>;

  // Trains on rows which[...] of `data`. The result is a function of the arguments: one thread computes it.
  // Errors: INVALID_ARGUMENT (no rows, labels that do not fit the rows or the classes, options out of range).
  static absl::StatusOr<SoftmaxProbe> Fit(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                                          const SoftmaxProbeOptions& options, const AfterEpoch& after_epoch = {});

  // The most probable class of a row; the lowest if several are.
  int Predict(const FeatureRow& row) const;
  // Fraction of rows which[...] whose prediction is not their label. REQUIRES: data is of the width fitted on, which is
  // not empty.
  double ErrorRate(const LabelledFeatures& data, absl::Span<const uint32_t> which) const;
  // The same over all rows.
  double ErrorRate(const LabelledFeatures& data) const;

 private:
  friend class SoftmaxTrainer;
  SoftmaxProbe(int64_t width, int classes);
  void Logits(const FeatureRow& row, float* logits) const;

  int classes_;
  int lanes_;                   // classes rounded up to whole vectors
  float scale_ = 1;             // features are multiplied by it
  std::vector<float> weights_;  // [width + 1, lanes]; the last row is the bias
};

// What SelectProbe tries.
struct ProbeGrid {
  std::vector<double> l2 = {1e-7, 1e-6, 1e-5, 1e-4};
  int64_t validation_rows = 10'000;
  uint64_t split_seed = 1;
};

struct SelectedProbe {
  SoftmaxProbe probe;
  // What was chosen, l2 and epochs included, and the error rate it had on the validation rows.
  SoftmaxProbeOptions options;
  double validation_error;
};

// Chooses l2 and the number of epochs by the error on validation rows, which a seeded permutation takes from the end of
// `training`, then fits on all of `training` with what was chosen. The candidates are spread over the pool's threads;
// the result does not depend on their number. `progress`, if not empty, is called with the fraction of the work done,
// by one thread at a time. Errors: INVALID_ARGUMENT as Fit, and if the validation rows leave no row to train on.
absl::StatusOr<SelectedProbe> SelectProbe(const LabelledFeatures& training, const SoftmaxProbeOptions& base,
                                          const ProbeGrid& grid, ThreadPool& pool,
                                          const std::function<void(double)>& progress = {});

}  // namespace kwta
