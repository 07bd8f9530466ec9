#include "core/evaluation/softmax_probe.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int kVector = 16;  // classes that one pass of an inner loop handles; a constant, so that it is unrolled
constexpr double kMomentDecay = 0.9, kSquareDecay = 0.999, kTiny = 1e-8;  // Adam's usual constants

// y += a x over `lanes` elements, a multiple of kVector.
inline void Axpy(float a, const float* x, int lanes, float* y) {
  for (int block = 0; block < lanes; block += kVector) {
    for (int c = 0; c < kVector; ++c) y[block + c] += a * x[block + c];
  }
}

absl::Status Validate(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                      const SoftmaxProbeOptions& options) {
  const int64_t rows = data.features->rows();
  if (static_cast<int64_t>(data.labels.size()) != rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are ", data.labels.size(), " labels for ", rows, " rows; expected one a row"));
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
  if (options.epochs < 1 || options.epochs > options.schedule_epochs || options.batch_size < 1 ||
      !(options.learning_rate > 0) || !(options.l2 >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("probe options: epochs ", options.epochs, " of ", options.schedule_epochs, ", batch_size ",
                     options.batch_size, ", learning_rate ", options.learning_rate, ", l2 ", options.l2,
                     "; expected 1 <= epochs <= schedule_epochs, batch_size >= 1, learning_rate > 0, l2 >= 0"));
  }
  return absl::OkStatus();
}

// Features times this have rows of root mean square length 1, so that one learning rate and one grid of l2 suit codes
// and pixels alike.
float UnitScale(const FeatureRows& features, absl::Span<const uint32_t> which) {
  FeatureScratch scratch;
  double squared = 0;
  for (const uint32_t i : which) {
    const FeatureRow row = features.Row(i, &scratch);
    squared += std::inner_product(row.values, row.values + row.entries, row.values, 0.0);
  }
  return squared > 0 ? static_cast<float>(std::sqrt(static_cast<double>(which.size()) / squared)) : 1.0f;
}

}  // namespace

SoftmaxProbe::SoftmaxProbe(int64_t width, int classes)
    : classes_(classes), lanes_((classes + kVector - 1) / kVector * kVector), weights_((width + 1) * lanes_) {}

void SoftmaxProbe::Logits(const FeatureRow& row, float* logits) const {
  const float* bias = weights_.data() + weights_.size() - lanes_;
  std::fill_n(logits, lanes_, 0.0f);
  for (int64_t e = 0; e < row.entries; ++e) {
    Axpy(row.values[e], weights_.data() + row.indices[e] * lanes_, lanes_, logits);
  }
  for (int c = 0; c < lanes_; ++c) logits[c] = logits[c] * scale_ + bias[c];
}

int SoftmaxProbe::Predict(const FeatureRow& row) const {
  std::vector<float> logits(lanes_);
  Logits(row, logits.data());
  return static_cast<int>(std::max_element(logits.begin(), logits.begin() + classes_) - logits.begin());
}

double SoftmaxProbe::ErrorRate(const LabelledFeatures& data, absl::Span<const uint32_t> which) const {
  FeatureScratch scratch;
  const int64_t wrong = std::count_if(which.begin(), which.end(), [&](uint32_t i) {
    return Predict(data.features->Row(i, &scratch)) != data.labels[i];
  });
  return static_cast<double>(wrong) / static_cast<double>(which.size());
}

double SoftmaxProbe::ErrorRate(const LabelledFeatures& data) const {
  std::vector<uint32_t> all(data.features->rows());
  std::iota(all.begin(), all.end(), 0u);
  return ErrorRate(data, all);
}

// Adam on minibatches. Kingma & Ba, "Adam", 2015, algorithm 1.
class SoftmaxTrainer {
 public:
  SoftmaxTrainer(const LabelledFeatures& data, absl::Span<const uint32_t> which, const SoftmaxProbeOptions& options)
      : data_(data),
        which_(which),
        options_(options),
        probe_(data.features->width(), data.classes),
        gradient_(probe_.weights_.size()),
        moment_(probe_.weights_.size()),
        square_(probe_.weights_.size()),
        probabilities_(probe_.lanes_) {
    probe_.scale_ = UnitScale(*data.features, which);
  }

  void Epoch(int epoch) {
    Rng rng(options_.seed, epoch);
    const std::vector<uint32_t> order = RandomPermutation(which_.size(), rng);
    const int64_t rows = static_cast<int64_t>(order.size());
    const int64_t batches = (rows + options_.batch_size - 1) / options_.batch_size;
    for (int64_t begin = 0; begin < rows; begin += options_.batch_size) {
      const int64_t end = std::min(rows, begin + options_.batch_size);
      for (int64_t i = begin; i < end; ++i) AddGradient(which_[order[i]], 1.0f / static_cast<float>(end - begin));
      const double left = 1 - static_cast<double>(updates_) / static_cast<double>(batches * options_.schedule_epochs);
      Update(options_.learning_rate * left);
    }
  }

  const SoftmaxProbe& probe() const { return probe_; }

 private:
  // Adds share * the gradient of the cross-entropy of one row: (p - onehot) x'.
  void AddGradient(uint32_t i, float share) {
    const int lanes = probe_.lanes_;
    float* p = probabilities_.data();
    const FeatureRow row = data_.features->Row(i, &scratch_);
    probe_.Logits(row, p);
    const float largest = *std::max_element(p, p + data_.classes);
    float sum = 0;
    for (int c = 0; c < data_.classes; ++c) sum += p[c] = std::exp(p[c] - largest);
    for (int c = 0; c < data_.classes; ++c) p[c] *= share / sum;
    std::fill(p + data_.classes, p + lanes, 0.0f);
    p[data_.labels[i]] -= share;
    Axpy(1, p, lanes, gradient_.data() + gradient_.size() - lanes);
    for (int c = 0; c < lanes; ++c) p[c] *= probe_.scale_;
    for (int64_t e = 0; e < row.entries; ++e) {
      Axpy(row.values[e], p, lanes, gradient_.data() + row.indices[e] * lanes);
    }
  }

  void Update(double rate) {
    ++updates_;
    const auto step = static_cast<float>(rate / (1 - std::pow(kMomentDecay, updates_)));
    const auto square_correction = static_cast<float>(1 / (1 - std::pow(kSquareDecay, updates_)));
    const auto l2 = static_cast<float>(options_.l2);
    const auto moment_decay = static_cast<float>(kMomentDecay), square_decay = static_cast<float>(kSquareDecay);
    const auto tiny = static_cast<float>(kTiny);
    const size_t biases = probe_.weights_.size() - probe_.lanes_;
    float* w = probe_.weights_.data();
    const auto update = [&](size_t begin, size_t end, float decay) {
      for (size_t j = begin; j < end; ++j) {
        const float g = gradient_[j] + decay * w[j];
        gradient_[j] = 0;
        moment_[j] = moment_decay * moment_[j] + (1 - moment_decay) * g;
        square_[j] = square_decay * square_[j] + (1 - square_decay) * g * g;
        w[j] -= step * moment_[j] / (std::sqrt(square_[j] * square_correction) + tiny);
      }
    };
    update(0, biases, l2);
    update(biases, probe_.weights_.size(), 0);  // biases are not penalised
  }

  const LabelledFeatures& data_;
  const absl::Span<const uint32_t> which_;
  const SoftmaxProbeOptions& options_;
  SoftmaxProbe probe_;
  std::vector<float> gradient_, moment_, square_;  // as the probe's weights
  std::vector<float> probabilities_;               // [lanes]
  FeatureScratch scratch_;
  int64_t updates_ = 0;
};

absl::StatusOr<SoftmaxProbe> SoftmaxProbe::Fit(const LabelledFeatures& data, absl::Span<const uint32_t> which,
                                               const SoftmaxProbeOptions& options, const AfterEpoch& after_epoch) {
  KWTA_RETURN_IF_ERROR(Validate(data, which, options));
  SoftmaxTrainer trainer(data, which, options);
  for (int epoch = 0; epoch < options.epochs; ++epoch) {
    trainer.Epoch(epoch);
    if (after_epoch) after_epoch(epoch + 1, trainer.probe());
  }
  return trainer.probe();
}

}  // namespace kwta
