// Linear classifiers on fixed features: how good features are, by how well a linear classifier does on them.
// "k-Sparse Autoencoders", section 4.4: "we fixed the features and trained a logistic regression classifier".
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/base/thread_pool.h"
#include "core/evaluation/feature_products.h"
#include "core/evaluation/feature_rows.h"

namespace kwta {

// Loss of a row with class scores s and label y.
enum class ProbeLoss {
  kSoftmax,       // multinomial logistic regression: -log softmax(s)_y
  kSquaredHinge,  // linear support vector machine, one against the rest: sum_c max(0, 1 - t_c s_c)^2, t_y = 1, else -1
};

struct LinearProbeOptions {
  ProbeLoss loss = ProbeLoss::kSoftmax;
  FeatureScaling scaling = FeatureScaling::kAsTheyAre;
  // Fraction of a row's features, after scaling, that each update sees as zero; the others are divided by the rest.
  // Needs dense features, or a scaling that centres them.
  double dropout = 0;
  // Passes over the rows, of a schedule of schedule_epochs over which the rate falls linearly to zero.
  // epochs < schedule_epochs stops the schedule early.
  int epochs = 20;
  int schedule_epochs = 20;
  int batch_size = 100;
  // Of Adam, in units of weights on features scaled to a root mean square row length of 1.
  double learning_rate = 0.05;
  // The objective is the mean loss + l2 / 2 * |weights|^2, the weights being those on the scaled features.
  double l2 = 1e-5;
  uint64_t seed = 1;
};

// Rows with classes 0 .. classes - 1.
struct LabelledFeatures {
  const FeatureRows* features = nullptr;
  absl::Span<const int32_t> labels;  // one a row
  int classes = 0;
  // A row may have further views, such as the mirror image of an image: training reads each as a row of its own, and
  // only the first is judged. View v of row i is row v * labels.size() + i of `features`.
  int views = 1;
};

// A trained classifier: score of class c = <x, w_c> + b_c on features as they come. Immutable and thread-safe.
class LinearProbe {
 public:
  // Called after each epoch with the epochs done and the classifier so far; may be empty. An error that it gives ends
  // training and is returned.
  using AfterEpoch = std::function<absl::Status(int, const LinearProbe&)>;

  // Trains on rows which[...] of `data`. The result is a function of the arguments and the processor's instruction set:
  // one thread computes it. Memory beside the features: batch_size rows of them, and four times the weights.
  // Errors: INVALID_ARGUMENT (no rows, labels that do not fit the rows, views or classes, options out of range).
  static absl::StatusOr<LinearProbe> Fit(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                                         const LinearProbeOptions& options, const AfterEpoch& after_epoch = {});

  int classes() const { return classes_; }
  // Distance of two rows of weights(): classes rounded up.
  int lanes() const { return lanes_; }
  // w, [width + 1, lanes] row-major, the last row being b.
  const std::vector<float>& weights() const { return weights_; }

  // The class with the highest score; the lowest class if several have it.
  int Predict(const FeatureRow& row) const;
  // Fraction of rows which[...] whose prediction is not their label. REQUIRES: data is of the width fitted on, which is
  // not empty.
  double ErrorRate(const LabelledFeatures& data, absl::Span<const uint32_t> which) const;
  // The same over all rows.
  double ErrorRate(const LabelledFeatures& data) const;

 private:
  friend class ProbeTrainer;
  LinearProbe(int64_t width, int classes);
  int HighestScore(float* sums) const;

  int classes_;
  int lanes_;
  std::vector<float> weights_;
};

// What SelectProbe tries: every pair of l2 and dropout.
struct ProbeGrid {
  std::vector<double> l2 = {1e-7, 1e-6, 1e-5, 1e-4};
  std::vector<double> dropout;  // empty: that of the options alone
  int64_t validation_rows = 10'000;
  uint64_t split_seed = 1;
  // Whether the number of epochs is chosen, too. If not, all of the base's are run and only their end is judged.
  bool choose_epochs = true;
};

struct ChosenProbe {
  LinearProbeOptions options;  // What was chosen: l2, dropout and epochs.
  double validation_error;     // The error rate it had on the validation rows.
};

// Chooses l2, dropout and, if asked for, the number of epochs by the error on validation rows, which a seeded
// permutation takes from the end of `training`. The candidates are spread over the pool's threads; the result does not
// depend on their number. `progress`, if not empty, is called with the fraction of the work done, by one thread at a
// time; an error that it gives ends the work and is returned. Errors also: INVALID_ARGUMENT as Fit, and if the
// validation rows leave no row to train on.
absl::StatusOr<ChosenProbe> ChooseProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                        const ProbeGrid& grid, ThreadPool& pool,
                                        const std::function<absl::Status(double)>& progress = {});

struct SelectedProbe {
  LinearProbe probe;
  LinearProbeOptions options;
  double validation_error;
};

// ChooseProbe, then a fit on all of `training` with what was chosen.
absl::StatusOr<SelectedProbe> SelectProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                          const ProbeGrid& grid, ThreadPool& pool,
                                          const std::function<absl::Status(double)>& progress = {});

}  // namespace kwta
