// Linear classifiers on fixed features. Their accuracy measures how good the features are.
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

// The loss of a row with class scores s and label y.
enum class ProbeLoss {
  kSoftmax,       // multinomial logistic regression: -log softmax(s)_y
  kSquaredHinge,  // linear support vector machine, one against the rest: sum_c max(0, 1 - t_c s_c)^2, t_y = 1, else -1
};

struct LinearProbeOptions {
  ProbeLoss loss = ProbeLoss::kSoftmax;
  FeatureScaling scaling = FeatureScaling::kAsTheyAre;
  // Fraction of a row's features, after scaling, that each update sees as zero. The rest are divided by 1 - dropout.
  // Needs dense features, or a scaling that centres them.
  double dropout = 0;
  // Passes over the rows. The rate falls linearly to zero over schedule_epochs; epochs < schedule_epochs stops the
  // schedule early.
  int epochs = 20;
  int schedule_epochs = 20;
  int batch_size = 100;
  // Adam's rate, for weights on features scaled to a root mean square row length of 1.
  double learning_rate = 0.05;
  // The objective is the mean loss + l2 / 2 * |weights|^2, with the weights on the scaled features.
  double l2 = 1e-5;
  uint64_t seed = 1;
};

// Rows with classes 0 .. classes - 1.
struct LabelledFeatures {
  const FeatureRows* features = nullptr;
  absl::Span<const int32_t> labels;  // one per row
  int classes = 0;
  // Number of views of a row, such as an image and its mirror image. Training reads each view as a row of its own; only
  // the first is judged. View v of row i is row v * labels.size() + i of `features`.
  int views = 1;
};

// A trained classifier. The score of class c is <x, w_c> + b_c on untransformed features. Immutable and thread-safe.
class LinearProbe {
 public:
  // Called after each epoch with the number of epochs done and the classifier so far; may be empty. If it returns an
  // error, training stops and returns the error.
  using AfterEpoch = std::function<absl::Status(int, const LinearProbe&)>;

  // Trains on rows which[...] of `data`. The result is a function of the arguments and the processor's instruction set:
  // one thread computes it. Besides the features it needs memory for batch_size rows of them and four times the
  // weights.
  // Errors: INVALID_ARGUMENT (no rows, labels that do not fit the rows, views or classes, options out of range).
  static absl::StatusOr<LinearProbe> Fit(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                                         const LinearProbeOptions& options, const AfterEpoch& after_epoch = {});

  int classes() const { return classes_; }
  // Distance between two rows of weights(): classes() rounded up.
  int lanes() const { return lanes_; }
  // w, [width + 1, lanes] row-major; the last row is b.
  const std::vector<float>& weights() const { return weights_; }

  // Returns the class with the highest score; the lowest class if several have it.
  int Predict(const FeatureRow& row) const;
  // Fraction of rows which[...] whose prediction is not their label. REQUIRES: data has the width of the features in
  // Fit; `which` is not empty.
  double ErrorRate(const LabelledFeatures& data, absl::Span<const uint32_t> which) const;
  // As above, over all rows.
  double ErrorRate(const LabelledFeatures& data) const;

 private:
  friend class ProbeTrainer;
  LinearProbe(int64_t width, int classes);
  int HighestScore(float* sums) const;

  int classes_;
  int lanes_;
  std::vector<float> weights_;
};

// The candidates of SelectProbe: every pair of l2 and dropout.
struct ProbeGrid {
  std::vector<double> l2 = {1e-7, 1e-6, 1e-5, 1e-4};
  std::vector<double> dropout;  // empty: only the dropout of the base options
  int64_t validation_rows = 10'000;
  uint64_t split_seed = 1;
  // Whether to choose the number of epochs, too. If not, every candidate runs all of the base's and is judged at the
  // end.
  bool choose_epochs = true;
};

struct ChosenProbe {
  LinearProbeOptions options;  // With the chosen l2, dropout and epochs.
  double validation_error;     // Their error rate on the validation rows.
};

// Chooses l2, dropout and, if the grid says so, the number of epochs by the error on validation rows. A seeded
// permutation takes these from the end of `training`. The pool's threads share the candidates; the result does not
// depend on their number. `progress`, if not empty, is called with the fraction of the work done, by one thread at a
// time; if it returns an error, the work stops and returns the error. Errors: also INVALID_ARGUMENT as Fit, and if the
// validation rows leave no row to train on.
absl::StatusOr<ChosenProbe> ChooseProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                        const ProbeGrid& grid, ThreadPool& pool,
                                        const std::function<absl::Status(double)>& progress = {});

struct SelectedProbe {
  LinearProbe probe;
  LinearProbeOptions options;
  double validation_error;
};

// Calls ChooseProbe, then fits on all of `training` with the chosen options.
absl::StatusOr<SelectedProbe> SelectProbe(const LabelledFeatures& training, const LinearProbeOptions& base,
                                          const ProbeGrid& grid, ThreadPool& pool,
                                          const std::function<absl::Status(double)>& progress = {});

}  // namespace kwta
