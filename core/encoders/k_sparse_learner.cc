// Training of the k-sparse autoencoder: "k-Sparse Autoencoders", section 2.2 (training) and section 4.2.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/rng.h"
#include "core/encoders/k_sparse.h"
#include "core/encoders/staging.h"

namespace kwta {
namespace {

// Stream of the seed that draws the weights; the trainer's epochs count theirs from 0.
constexpr uint64_t kWeightStream = ~uint64_t{0};

// Makes `buffer` at least `bytes` long; what was in it is lost if it grows.
absl::Status Reserve(Backend& backend, size_t bytes, Buffer* buffer) {
  if (buffer->bytes() >= bytes) return absl::OkStatus();
  KWTA_ASSIGN_OR_RETURN(*buffer, backend.Allocate(bytes));
  return absl::OkStatus();
}

// Scales a vector to length 1; zeros stay.
void Normalise(std::vector<float>& row) {
  double squared = 0;
  for (const float element : row) squared += double{element} * element;
  if (squared == 0) return;
  const double factor = 1 / std::sqrt(squared);
  for (float& element : row) element = static_cast<float>(element * factor);
}

class KSparseLearner : public Learner {
 public:
  KSparseLearner(const v1::KSparseSpec& spec, int64_t width, std::shared_ptr<Backend> backend)
      : spec_(spec),
        units_(spec.units()),
        width_(width),
        backend_(std::move(backend)),
        parameters_{{{"atoms", {units_, width_}}, {"bias", {units_}}, {"decoder_bias", {width_}}}} {}

  absl::Status Initialise(uint64_t seed) {
    for (Parameter& parameter : parameters_) {
      KWTA_ASSIGN_OR_RETURN(parameter.value, backend_->Allocate(parameter.bytes()));
      KWTA_ASSIGN_OR_RETURN(parameter.velocity, backend_->Allocate(parameter.bytes()));
      KWTA_ASSIGN_OR_RETURN(parameter.gradient, backend_->Allocate(parameter.bytes()));
    }
    Rng rng(seed, kWeightStream);
    std::vector<float> atom(width_);
    for (int64_t h = 0; h < units_; ++h) {
      for (float& weight : atom) weight = static_cast<float>(spec_.init_sigma() * rng.Gaussian());
      if (spec_.unit_norm_atoms()) Normalise(atom);
      KWTA_RETURN_IF_ERROR(
          backend_->CopyFromHost(atom.data(), weights().value.as<float>() + h * width_, width_ * sizeof(float)));
    }
    KWTA_ASSIGN_OR_RETURN(active_rows_, backend_->Allocate(units_ * sizeof(int32_t)));
    host_active_rows_.resize(units_);
    KWTA_ASSIGN_OR_RETURN(dictionary_, backend_->PrepareDictionary(weights().value.as<float>(),
                                                                   bias().value.as<float>(), units_, width_));
    return absl::OkStatus();
  }

  int64_t units() const override { return units_; }
  int64_t ScheduledK(double fraction) const override;
  absl::StatusOr<StepStatistics> Step(const float* x, int64_t rows, const StepOptions& options) override;
  const int32_t* active_rows() const override { return host_active_rows_.data(); }
  absl::StatusOr<TensorMap> Parameters() const override;
  absl::StatusOr<TensorMap> Checkpoint() const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  struct Parameter {
    const char* name;
    Shape shape;
    Buffer value, velocity, gradient;

    size_t bytes() const { return ElementCount(shape) * sizeof(float); }
    std::string velocity_name() const { return absl::StrCat("velocity.", name); }
  };
  Parameter& weights() { return parameters_[0]; }
  Parameter& bias() { return parameters_[1]; }
  Parameter& decoder_bias() { return parameters_[2]; }

  absl::Status Update(const StepOptions& options);
  absl::StatusOr<Tensor> Download(const Parameter& parameter, const Buffer& buffer) const;
  absl::Status Upload(const TensorMap& state, const std::string& name, const Parameter& parameter, Buffer* buffer);

  const v1::KSparseSpec spec_;
  const int64_t units_;
  const int64_t width_;
  const std::shared_ptr<Backend> backend_;
  std::array<Parameter, 3> parameters_;
  std::unique_ptr<Dictionary> dictionary_;  // looks at the values of weights() and bias()
  bool dictionary_is_stale_ = false;

  // Scratch memory of a step, kept for the next one.
  Buffer indices_, values_;  // [rows, k]
  Buffer residual_;          // [rows, width]
  Buffer active_rows_;       // [units]
  std::vector<int32_t> host_active_rows_;
};

int64_t KSparseLearner::ScheduledK(double fraction) const {
  // Section 4.2.1: linear from k_start to k, then k.
  if (fraction >= spec_.anneal_fraction()) return spec_.k();
  const double fallen = fraction / spec_.anneal_fraction();
  const double k_start = spec_.k_start();
  return std::llround(k_start + (spec_.k() - k_start) * fallen);
}

absl::StatusOr<StepStatistics> KSparseLearner::Step(const float* x, int64_t rows, const StepOptions& options) {
  KWTA_ASSIGN_OR_RETURN(const StagedInput input, StagedInput::Create(*backend_, x, rows * width_ * sizeof(float)));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * options.k * sizeof(int32_t), &indices_));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * options.k * sizeof(float), &values_));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * width_ * sizeof(float), &residual_));
  if (dictionary_is_stale_) KWTA_RETURN_IF_ERROR(backend_->RefreshDictionary(*dictionary_));
  dictionary_is_stale_ = false;

  // Steps 1 and 2 of section 2.2: z = W'x + b, of which the k largest stay.
  AffineTopKArgs encode;
  encode.dictionary = dictionary_.get();
  encode.x = input.as<float>();
  encode.rows = rows;
  encode.k = options.k;
  encode.indices = indices_.as<int32_t>();
  encode.values = values_.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->AffineTopK(encode));

  // Step 3: residual = W z + b' - x.
  StepStatistics statistics;
  SparseDecodeArgs decode;
  decode.atoms = weights().value.as<float>();
  decode.bias = decoder_bias().value.as<float>();
  decode.indices = encode.indices;
  decode.values = encode.values;
  decode.rows = rows;
  decode.k = options.k;
  decode.width = width_;
  decode.target = encode.x;
  decode.output = residual_.as<float>();
  decode.squared_sum = &statistics.squared_error;
  KWTA_RETURN_IF_ERROR(backend_->SparseDecode(decode));
  if (!std::isfinite(statistics.squared_error)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "training has diverged: the squared error of a batch is not finite at learning rate ", options.learning_rate,
        " and momentum ", options.momentum, "; lower training.learning_rate (a tenth is a good next try)"));
  }

  SparseGradientArgs gradient;
  gradient.atoms = decode.atoms;
  gradient.x = encode.x;
  gradient.residual = decode.output;
  gradient.indices = encode.indices;
  gradient.values = encode.values;
  gradient.rows = rows;
  gradient.k = options.k;
  gradient.units = units_;
  gradient.width = width_;
  gradient.scale = 1.0f / static_cast<float>(rows);
  gradient.gradient_atoms = weights().gradient.as<float>();
  gradient.gradient_bias = bias().gradient.as<float>();
  gradient.gradient_decoder_bias = decoder_bias().gradient.as<float>();
  gradient.active_rows = active_rows_.as<int32_t>();
  KWTA_RETURN_IF_ERROR(backend_->SparseGradient(gradient));
  KWTA_RETURN_IF_ERROR(Update(options));
  KWTA_RETURN_IF_ERROR(
      backend_->CopyToHost(active_rows_.as<void>(), host_active_rows_.data(), units_ * sizeof(int32_t)));
  return statistics;
}

absl::Status KSparseLearner::Update(const StepOptions& options) {
  dictionary_is_stale_ = true;
  for (Parameter& parameter : parameters_) {
    const bool is_matrix = parameter.shape.size() == 2;
    MomentumUpdateArgs args;
    args.parameter = parameter.value.as<float>();
    args.velocity = parameter.velocity.as<float>();
    args.gradient = parameter.gradient.as<float>();
    args.active_rows = is_matrix ? active_rows_.as<int32_t>() : nullptr;
    args.rows = is_matrix ? units_ : 1;
    args.width = parameter.shape.back();
    args.rate = options.learning_rate;
    args.momentum = options.momentum;
    args.unit_norm = is_matrix && spec_.unit_norm_atoms();
    KWTA_RETURN_IF_ERROR(backend_->MomentumUpdate(args));
  }
  return absl::OkStatus();
}

absl::StatusOr<Tensor> KSparseLearner::Download(const Parameter& parameter, const Buffer& buffer) const {
  Tensor tensor(DType::kF32, parameter.shape);
  KWTA_RETURN_IF_ERROR(backend_->CopyToHost(buffer.as<void>(), tensor.data(), tensor.bytes()));
  return tensor;
}

absl::Status KSparseLearner::Upload(const TensorMap& state, const std::string& name, const Parameter& parameter,
                                    Buffer* buffer) {
  const auto found = state.find(name);
  if (found == state.end()) return absl::DataLossError(absl::StrCat("the state has no tensor \"", name, "\""));
  const Tensor& tensor = found->second;
  if (tensor.dtype() != DType::kF32 || tensor.shape() != parameter.shape) {
    return absl::DataLossError(absl::StrCat("tensor \"", name, "\" of the state is ", DTypeName(tensor.dtype()),
                                            ShapeString(tensor.shape()), "; expected f32",
                                            ShapeString(parameter.shape)));
  }
  return backend_->CopyFromHost(tensor.data(), buffer->as<void>(), tensor.bytes());
}

absl::StatusOr<TensorMap> KSparseLearner::Parameters() const {
  TensorMap tensors;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.name], Download(parameter, parameter.value));
  }
  return tensors;
}

absl::StatusOr<TensorMap> KSparseLearner::Checkpoint() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap tensors, Parameters());
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.velocity_name()], Download(parameter, parameter.velocity));
  }
  return tensors;
}

absl::Status KSparseLearner::Restore(const TensorMap& state) {
  for (Parameter& parameter : parameters_) {
    KWTA_RETURN_IF_ERROR(Upload(state, parameter.name, parameter, &parameter.value));
    KWTA_RETURN_IF_ERROR(Upload(state, parameter.velocity_name(), parameter, &parameter.velocity));
  }
  dictionary_is_stale_ = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateKSparseLearner(const v1::KSparseSpec& spec, int64_t input_width,
                                                              uint64_t seed, std::shared_ptr<Backend> backend) {
  auto learner = std::make_unique<KSparseLearner>(spec, input_width, std::move(backend));
  KWTA_RETURN_IF_ERROR(learner->Initialise(seed));
  return learner;
}

}  // namespace kwta
