#include "core/training/fine_tuning/tuned_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/learner_state.h"
#include "core/encoders/stack.h"
#include "core/evaluation/stored_classifier.h"

namespace kwta {
namespace {

constexpr char kClassifierState[] = "classifier";
constexpr char kClassifierScale[] = "classifier.scale";
constexpr double kSmallestSlope = 1e-20;  // shorter slopes have no useful direction

// The prefix of the tensors of layer i in a bundle of `layers` layers.
std::string LayerPrefix(int layers, int i) { return layers == 1 ? "" : absl::StrCat("layers.", i, "."); }

}  // namespace

absl::StatusOr<TunedNetwork> TunedNetwork::Create(const ModelBundle& model, const std::shared_ptr<Backend>& backend) {
  TunedNetwork network;
  const int count = LayerCount(model.description.encoder());
  for (int i = 0; i < count; ++i) {
    KWTA_ASSIGN_OR_RETURN(const ModelBundle part, LayerOfStack(model, i));
    const v1::EncoderSpec& spec = part.description.encoder();
    KWTA_ASSIGN_OR_RETURN(TunedLayer layer,
                          TunedLayer::Create(part.tensors, FindEncoderKind(spec)->tuned_code(spec), backend));
    network.layers_.push_back(std::move(layer));
  }
  network.codes_.resize(count);
  network.gradients_.resize(count);
  return network;
}

absl::Status TunedNetwork::Forward(const float* x, int64_t rows, std::optional<double> code_dropout, Rng* rng) {
  const float* input = x;
  for (int i = 0; i < layers(); ++i) {
    const double dropout = code_dropout.value_or(layers_[i].own_dropout());
    KWTA_RETURN_IF_ERROR(layers_[i].Encode(input, rows, dropout, rng, &codes_[i]));
    if (i + 1 == layers()) break;
    codes_[i].ToDense(layers_[i].units(), &dense_);
    input = dense_.data();
  }
  return absl::OkStatus();
}

void TunedNetwork::MultiplyBySlopes(int i) {
  const std::vector<float>& slopes = codes_[i].slopes;
  for (size_t e = 0; e < slopes.size(); ++e) gradients_[i][e] *= slopes[e];
}

absl::Status TunedNetwork::GradientBelow(int i) {
  KWTA_RETURN_IF_ERROR(layers_[i].InputGradient(codes_[i], gradients_[i], &below_));
  const CodeBatch& lower = codes_[i - 1];
  gradients_[i - 1].resize(lower.indices.size());
  for (size_t e = 0; e < lower.indices.size(); ++e) {
    gradients_[i - 1][e] = below_[e / lower.k * layers_[i].width() + lower.indices[e]];
  }
  return absl::OkStatus();
}

absl::Status TunedNetwork::AddAdversarial(float length, const int32_t* labels, int64_t rows, float* x) {
  KWTA_RETURN_IF_ERROR(Forward(x, rows, 0, nullptr));
  const CodeBatch& codes = codes_.back();
  gradients_.back().resize(rows * codes.k);
  classifier_->Gradient(codes.indices.data(), codes.values.data(), labels, rows, codes.k, gradients_.back().data());
  for (int i = layers() - 1; i > 0; --i) {
    MultiplyBySlopes(i);
    KWTA_RETURN_IF_ERROR(GradientBelow(i));
  }
  MultiplyBySlopes(0);
  KWTA_RETURN_IF_ERROR(layers_[0].InputGradient(codes_[0], gradients_[0], &below_));
  const int64_t width = layers_[0].width();
  for (int64_t i = 0; i < rows; ++i) {
    const float* slope = below_.data() + i * width;
    const double norm = std::sqrt(std::inner_product(slope, slope + width, slope, 0.0));
    if (!(norm > kSmallestSlope)) continue;
    const auto step = static_cast<float>(length / norm);
    for (int64_t d = 0; d < width; ++d) x[i * width + d] += step * slope[d];
  }
  return absl::OkStatus();
}

absl::StatusOr<Classifier::Outcome> TunedNetwork::Step(const float* x, const int32_t* labels, int64_t rows,
                                                       const StepOptions& options, Rng& rng) {
  const int top = layers() - 1;
  KWTA_RETURN_IF_ERROR(Forward(x, rows, options.code_dropout, &rng));
  gradients_[top].resize(rows * codes_[top].k);
  const Classifier::Outcome outcome =
      classifier_->Step(codes_[top].indices.data(), codes_[top].values.data(), labels, rows, codes_[top].k,
                        options.classifier, gradients_[top].data());
  if (!std::isfinite(outcome.loss)) {
    return absl::FailedPreconditionError("fine-tuning has diverged: a batch has a loss that is not finite");
  }

  for (int i = top; i >= options.first_layer; --i) {
    const CodeBatch& codes = codes_[i];
    MultiplyBySlopes(i);
    if (i > options.first_layer) {
      // Compute these before this layer's atoms move.
      KWTA_RETURN_IF_ERROR(GradientBelow(i));
    }
    KWTA_RETURN_IF_ERROR(layers_[i].Step(codes, gradients_[i], i == 0 ? x : nullptr, i == 0 ? nullptr : &codes_[i - 1],
                                         options.encoder));
  }
  return outcome;
}

absl::Status TunedNetwork::Export(ModelBundle* model) const {
  for (int i = 0; i < layers(); ++i) {
    KWTA_ASSIGN_OR_RETURN(TensorMap tensors, layers_[i].Parameters(/*velocities=*/false));
    for (auto& [name, tensor] : tensors) model->tensors[LayerPrefix(layers(), i) + name] = std::move(tensor);
  }
  model->tensors[kClassifierWeights] = classifier_->Weights();
  model->tensors[kClassifierBias] = classifier_->Bias();
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> TunedNetwork::Checkpoint() const {
  TensorMap state;
  for (int i = 0; i < layers(); ++i) {
    KWTA_ASSIGN_OR_RETURN(TensorMap tensors, layers_[i].Parameters(/*velocities=*/true));
    for (auto& [name, tensor] : tensors) state[absl::StrCat("layers.", i, ".", name)] = std::move(tensor);
  }
  state[kClassifierState] = classifier_->State();
  Tensor scale(DType::kF32, {1});
  *scale.as<float>() = classifier_->scale();
  state[kClassifierScale] = std::move(scale);
  return state;
}

absl::Status TunedNetwork::Restore(const TensorMap& state) {
  for (int i = 0; i < layers(); ++i) {
    KWTA_RETURN_IF_ERROR(layers_[i].Restore(state, absl::StrCat("layers.", i, ".")));
  }
  KWTA_ASSIGN_OR_RETURN(const Tensor* scale, FindState(state, kClassifierScale, DType::kF32, {1}));
  KWTA_ASSIGN_OR_RETURN(const Tensor* classifier,
                        FindState(state, kClassifierState, DType::kF32, classifier_->StateShape()));
  classifier_->Restore(*classifier, *scale->as<float>());
  return absl::OkStatus();
}

}  // namespace kwta
