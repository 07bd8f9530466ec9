#include "core/training/fine_tuning/classifier.h"

#include <algorithm>
#include <cmath>

#include "core/base/divide_up.h"
#include "core/evaluation/probe_kernels.h"

namespace kwta {
namespace {

constexpr int kVector = kProbeLanes;  // a constant, so the compiler unrolls inner loops

// y += a x over `lanes` elements, a multiple of kVector.
inline void Axpy(float a, const float* x, int lanes, float* y) {
  for (int block = 0; block < lanes; block += kVector) {
    for (int c = 0; c < kVector; ++c) y[block + c] += a * x[block + c];
  }
}

inline float Dot(const float* x, const float* y, int lanes) {
  float sums[kVector] = {};
  for (int block = 0; block < lanes; block += kVector) {
    for (int c = 0; c < kVector; ++c) sums[c] += x[block + c] * y[block + c];
  }
  float sum = 0;
  for (const float part : sums) sum += part;
  return sum;
}

}  // namespace

Classifier::Classifier(int64_t units, int classes, float scale)
    : units_(units),
      classes_(classes),
      lanes_(RoundUp(classes, kVector)),
      scale_(scale),
      weights_((units_ + 1) * lanes_),
      velocity_(weights_.size()),
      gradient_(weights_.size()),
      logits_(lanes_) {}

Classifier::Classifier(const LinearProbe& probe, float scale)
    : Classifier(static_cast<int64_t>(probe.weights().size()) / probe.lanes() - 1, probe.classes(), scale) {
  const auto biases = std::transform(probe.weights().begin(), probe.weights().end() - lanes_, weights_.begin(),
                                     [scale](float weight) { return weight / scale; });
  std::copy(probe.weights().end() - lanes_, probe.weights().end(), biases);
}

void Classifier::Logits(const int32_t* indices, const float* values, int64_t k, float* logits) const {
  std::copy_n(weights_.end() - lanes_, lanes_, logits);
  for (int64_t e = 0; e < k; ++e) Axpy(scale_ * values[e], weights_.data() + indices[e] * lanes_, lanes_, logits);
}

void Classifier::LogitGradient(int32_t label, float* logits, Outcome* outcome) const {
  const float* top = std::max_element(logits, logits + classes_);
  outcome->wrong += top - logits != label;
  const float largest = *top;
  const double own = logits[label];
  double sum = 0;
  for (int c = 0; c < classes_; ++c) sum += logits[c] = std::exp(logits[c] - largest);
  outcome->loss += std::log(sum) + largest - own;
  for (int c = 0; c < classes_; ++c) logits[c] /= static_cast<float>(sum);
  std::fill(logits + classes_, logits + lanes_, 0.0f);
  logits[label] -= 1;
}

void Classifier::Gradient(const int32_t* indices, const float* values, const int32_t* labels, int64_t rows, int64_t k,
                          float* dz) {
  Outcome outcome;
  const float scale = scale_ / static_cast<float>(rows);
  float* p = logits_.data();
  for (int64_t i = 0; i < rows; ++i) {
    Logits(indices + i * k, values + i * k, k, p);
    LogitGradient(labels[i], p, &outcome);
    for (int64_t e = i * k; e < (i + 1) * k; ++e) dz[e] = scale * Dot(p, weights_.data() + indices[e] * lanes_, lanes_);
  }
}

Classifier::Outcome Classifier::Step(const int32_t* indices, const float* values, const int32_t* labels, int64_t rows,
                                     int64_t k, const Rates& rates, float* dz) {
  Outcome outcome;
  std::fill(gradient_.begin(), gradient_.end(), 0.0f);
  const auto share = static_cast<float>(1.0 / static_cast<double>(rows));
  float* p = logits_.data();
  for (int64_t i = 0; i < rows; ++i) {
    Logits(indices + i * k, values + i * k, k, p);
    LogitGradient(labels[i], p, &outcome);
    for (int c = 0; c < classes_; ++c) p[c] *= share;
    Axpy(1, p, lanes_, gradient_.data() + units_ * lanes_);
    for (int64_t e = i * k; e < (i + 1) * k; ++e) {
      dz[e] = scale_ * Dot(p, weights_.data() + indices[e] * lanes_, lanes_);
      Axpy(scale_ * values[e], p, lanes_, gradient_.data() + indices[e] * lanes_);
    }
  }
  const size_t biases = weights_.size() - lanes_;
  for (size_t j = 0; j < weights_.size(); ++j) {
    const float l2 = j < biases ? rates.l2 : 0;
    velocity_[j] = rates.momentum * velocity_[j] - rates.rate * (gradient_[j] + l2 * weights_[j]);
    weights_[j] += velocity_[j];
  }
  return outcome;
}

Tensor Classifier::Weights() const {
  Tensor tensor(DType::kF32, {units_, classes_});
  for (int64_t unit = 0; unit < units_; ++unit) {
    for (int c = 0; c < classes_; ++c) {
      tensor.as<float>()[unit * classes_ + c] = scale_ * weights_[unit * lanes_ + c];
    }
  }
  return tensor;
}

Tensor Classifier::Bias() const {
  Tensor tensor(DType::kF32, {classes_});
  std::copy_n(weights_.end() - lanes_, classes_, tensor.as<float>());
  return tensor;
}

Tensor Classifier::State() const {
  Tensor state(DType::kF32, StateShape());
  std::copy(velocity_.begin(), velocity_.end(), std::copy(weights_.begin(), weights_.end(), state.as<float>()));
  return state;
}

void Classifier::Restore(const Tensor& state, float scale) {
  scale_ = scale;
  std::copy_n(state.as<float>(), weights_.size(), weights_.begin());
  std::copy_n(state.as<float>() + weights_.size(), velocity_.size(), velocity_.begin());
}

}  // namespace kwta
