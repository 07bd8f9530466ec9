#include "core/evaluation/linear_probe.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/divide_up.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"
#include "core/simd/adam.h"

namespace kwta {
namespace {

constexpr double kMomentDecay = 0.9, kSquareDecay = 0.999, kTiny = 1e-8;  // Adam's usual constants
constexpr int64_t kPredictedRows = 100;                                   // rows whose scores are computed together
constexpr double kDropoutRange = 1 << 24;                                 // range of the hashes; see ProbeDropout

absl::Status ValidateOptions(const LabelledFeatures& data, const LinearProbeOptions& options) {
  if (options.epochs < 1 || options.epochs > options.schedule_epochs || options.batch_size < 1 ||
      !(options.learning_rate > 0) || !(options.l2 >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("probe options: epochs ", options.epochs, " of ", options.schedule_epochs, ", batch_size ",
                     options.batch_size, ", learning_rate ", options.learning_rate, ", l2 ", options.l2,
                     "; expected 1 <= epochs <= schedule_epochs, batch_size >= 1, learning_rate > 0, l2 >= 0"));
  }
  const bool blocks = data.features->dense() || options.scaling != FeatureScaling::kAsTheyAre;
  if (!(options.dropout >= 0 && options.dropout < 1) || (options.dropout > 0 && !blocks)) {
    return absl::InvalidArgumentError(
        absl::StrCat("probe options: dropout ", options.dropout,
                     "; expected 0 .. 1 without 1, and 0 for codes that are not centred"));
  }
  return absl::OkStatus();
}

absl::Status Validate(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                      const LinearProbeOptions& options) {
  const auto rows = static_cast<int64_t>(data.labels.size());
  if (data.views < 1 || data.features->rows() != data.views * rows) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", rows, " labels for ", data.features->rows(),
                                                   " rows in ", data.views, " views; expected one a row"));
  }
  if (which.empty()) return absl::InvalidArgumentError("there are no rows to train the probe on");
  if (data.classes < 2) {
    return absl::InvalidArgumentError(absl::StrCat("classes is ", data.classes, "; expected at least 2"));
  }
  for (int64_t i = 0; i < rows; ++i) {
    if (data.labels[i] < 0 || data.labels[i] >= data.classes) {
      return absl::InvalidArgumentError(
          absl::StrCat("label ", data.labels[i], " of row ", i, " is not in 0 .. ", data.classes - 1));
    }
  }
  return ValidateOptions(data, options);
}

// Turns scores into gradients of the mean loss over the batch.
void SoftmaxGradient(float share, int32_t label, int classes, float* scores) {
  const float largest = *std::max_element(scores, scores + classes);
  float sum = 0;
  for (int c = 0; c < classes; ++c) sum += scores[c] = std::exp(scores[c] - largest);
  for (int c = 0; c < classes; ++c) scores[c] *= share / sum;
  scores[label] -= share;
}

void SquaredHingeGradient(float share, int32_t label, int classes, float* scores) {
  for (int c = 0; c < classes; ++c) {
    const float target = c == label ? 1.0f : -1.0f;
    scores[c] = -2 * share * target * std::max(0.0f, 1 - target * scores[c]);
  }
}

}  // namespace

LinearProbe::LinearProbe(int64_t width, int classes)
    : classes_(classes), lanes_(RoundUp(classes, kProbeLanes)), weights_((width + 1) * lanes_) {}

int LinearProbe::HighestScore(float* sums) const {
  const float* bias = weights_.data() + weights_.size() - lanes_;
  for (int c = 0; c < classes_; ++c) sums[c] += bias[c];
  return static_cast<int>(std::max_element(sums, sums + classes_) - sums);
}

int LinearProbe::Predict(const FeatureRow& row) const {
  std::vector<float> sums(classes_);
  for (int64_t e = 0; e < row.entries; ++e) {
    const float* w = weights_.data() + int64_t{row.indices[e]} * lanes_;
    for (int c = 0; c < classes_; ++c) sums[c] += row.values[e] * w[c];
  }
  return HighestScore(sums.data());
}

double LinearProbe::ErrorRate(const LabelledFeatures& data, absl::Span<const uint32_t> which) const {
  const auto products = MakeFeatureProducts(*data.features, {}, lanes_);
  std::vector<float> sums(kPredictedRows * lanes_);
  int64_t wrong = 0;
  for (size_t begin = 0; begin < which.size(); begin += kPredictedRows) {
    const absl::Span<const uint32_t> rows = which.subspan(begin, kPredictedRows);
    products->Multiply(rows, weights_.data(), {}, sums.data());
    for (size_t r = 0; r < rows.size(); ++r) wrong += HighestScore(sums.data() + r * lanes_) != data.labels[rows[r]];
  }
  return static_cast<double>(wrong) / static_cast<double>(which.size());
}

double LinearProbe::ErrorRate(const LabelledFeatures& data) const {
  std::vector<uint32_t> all(data.labels.size());
  std::iota(all.begin(), all.end(), 0u);
  return ErrorRate(data, all);
}

// Adam on minibatches. Kingma & Ba, "Adam", 2015, algorithm 1.
class ProbeTrainer {
 public:
  ProbeTrainer(const LabelledFeatures& data, absl::Span<const uint32_t> which, const LinearProbeOptions& options)
      : data_(data),
        which_(which),
        options_(options),
        transform_(FitTransform(*data.features, which, options.scaling)),
        probe_(data.features->width(), data.classes),
        products_(MakeFeatureProducts(*data.features, transform_, probe_.lanes_)),
        gradient_(probe_.weights_.size()),
        moment_(probe_.weights_.size()),
        square_(probe_.weights_.size()),
        scores_(int64_t{options.batch_size} * probe_.lanes_) {}

  void Epoch(int epoch) {
    Rng rng(options_.seed, epoch);
    std::vector<uint32_t> order = RandomPermutation(which_.size(), rng);
    for (uint32_t& row : order) row = which_[row];
    const absl::Span<const uint32_t> rows(order);
    const auto batch = static_cast<size_t>(options_.batch_size);
    const size_t batches = DivideUp(rows.size(), batch);
    for (size_t begin = 0; begin < rows.size(); begin += batch) {
      const double left = 1 - static_cast<double>(updates_) / static_cast<double>(batches * options_.schedule_epochs);
      AddGradient(rows.subspan(begin, batch), static_cast<uint32_t>(rng.UniformBelow(uint64_t{1} << 32)));
      Update(options_.learning_rate * left);
    }
  }

  // The classifier for untransformed features: folds the transform into the weights.
  LinearProbe probe() const {
    LinearProbe folded = probe_;
    const int lanes = probe_.lanes_;
    const int64_t width = data_.features->width();
    float* bias = folded.weights_.data() + width * lanes;
    for (int c = 0; c < lanes; ++c) {
      double shifted = bias[c];
      for (int64_t d = 0; d < width; ++d) {
        float& w = folded.weights_[d * lanes + c];
        w *= transform_.factor.empty() ? transform_.scale : transform_.factor[d];
        if (!transform_.shift.empty()) shifted -= double{transform_.shift[d]} * w;
      }
      bias[c] = static_cast<float>(shifted);
    }
    return folded;
  }

 private:
  // Adds the gradient of the mean loss over `rows`.
  void AddGradient(absl::Span<const uint32_t> rows, uint32_t key) {
    const int lanes = probe_.lanes_;
    ProbeDropout dropout;
    if (options_.dropout > 0) {
      dropout = {key, static_cast<uint32_t>(options_.dropout * kDropoutRange),
                 static_cast<float>(1 / (1 - options_.dropout))};
    }
    products_->Multiply(rows, probe_.weights_.data(), dropout, scores_.data());
    const size_t bias = probe_.weights_.size() - lanes;
    const float share = 1 / static_cast<float>(rows.size());
    const auto gradient = options_.loss == ProbeLoss::kSoftmax ? SoftmaxGradient : SquaredHingeGradient;
    for (size_t r = 0; r < rows.size(); ++r) {
      float* scores = scores_.data() + r * lanes;
      for (int c = 0; c < data_.classes; ++c) scores[c] += probe_.weights_[bias + c];
      gradient(share, data_.labels[rows[r] % data_.labels.size()], data_.classes, scores);
      std::fill(scores + data_.classes, scores + lanes, 0.0f);
      for (int c = 0; c < lanes; ++c) gradient_[bias + c] += scores[c];
    }
    products_->AddTransposed(scores_.data(), gradient_.data());
  }

  void Update(double rate) {
    ++updates_;
    const simd::AdamStep step = simd::AdamStepAt(updates_, rate, kMomentDecay, kSquareDecay, kTiny);
    const size_t biases = probe_.weights_.size() - probe_.lanes_;
    const auto update = [&](size_t begin, size_t end, float l2) {
      adam_.update_with_l2(step, l2, gradient_.data() + begin, static_cast<int64_t>(end - begin),
                           moment_.data() + begin, square_.data() + begin, probe_.weights_.data() + begin);
    };
    update(0, biases, static_cast<float>(options_.l2));
    update(biases, probe_.weights_.size(), 0);  // biases are not penalised
  }

  const LabelledFeatures& data_;
  const absl::Span<const uint32_t> which_;
  const LinearProbeOptions& options_;
  const FeatureTransform transform_;
  const ProbeKernels& kernels_ = ProbeKernelsFor(simd::AvailableInstructionSets().front());
  const simd::AdamKernels& adam_ = simd::AdamKernelsFor(simd::AvailableInstructionSets().front());
  LinearProbe probe_;  // on transformed features
  const std::unique_ptr<FeatureProducts> products_;
  std::vector<float> gradient_, moment_, square_;  // as the probe's weights
  std::vector<float> scores_;                      // [batch_size, lanes]
  int64_t updates_ = 0;
};

absl::StatusOr<LinearProbe> LinearProbe::Fit(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                                             const LinearProbeOptions& options, const AfterEpoch& after_epoch) {
  KWTA_RETURN_IF_ERROR(Validate(data, which, options));
  std::vector<uint32_t> views;
  views.reserve(which.size() * data.views);
  for (int view = 0; view < data.views; ++view) {
    for (const uint32_t row : which) views.push_back(static_cast<uint32_t>(view * data.labels.size() + row));
  }
  ProbeTrainer trainer(data, views, options);
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    trainer.Epoch(epoch);
    if (after_epoch) KWTA_RETURN_IF_ERROR(after_epoch(epoch + 1, trainer.probe()));
  }
  return trainer.probe();
}

}  // namespace kwta
