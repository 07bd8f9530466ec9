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
#include "core/encoders/learner_state.h"
#include "core/encoders/staging.h"

namespace kwta {
namespace {

constexpr char kIdleRows[] = "idle_rows";  // in a checkpoint

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

  absl::Status Initialise(uint64_t seed, const std::vector<float>& mean) {
    for (Parameter& parameter : parameters_) {
      KWTA_ASSIGN_OR_RETURN(parameter.value, backend_->Allocate(parameter.bytes()));
      KWTA_ASSIGN_OR_RETURN(parameter.velocity, backend_->Allocate(parameter.bytes()));
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
    if (has_auxiliary_loss()) idle_rows_.resize(units_);
    for (PutOff& put_off : put_off_) {
      KWTA_ASSIGN_OR_RETURN(put_off.value, backend_->Allocate(units_ * sizeof(float)));
    }
    const std::vector<float> ones(units_, 1.0f);
    KWTA_RETURN_IF_ERROR(backend_->CopyFromHost(ones.data(), decay().value.as<float>(), units_ * sizeof(float)));
    if (!mean.empty()) {
      KWTA_ASSIGN_OR_RETURN(mean_, CopyToBackend(*backend_, mean.data(), mean.size() * sizeof(float)));
    }
    TiedParameters tied;
    tied.units = units_;
    tied.width = width_;
    tied.atoms = weights().value.as<float>();
    tied.bias = bias().value.as<float>();
    tied.decoder_bias = decoder_bias().value.as<float>();
    tied.atom_velocity = weights().velocity.as<float>();
    tied.bias_velocity = bias().velocity.as<float>();
    tied.decoder_velocity = decoder_bias().velocity.as<float>();
    tied.shift = shift().value.as<float>();
    tied.decay = decay().value.as<float>();
    tied.unit_norm = spec_.unit_norm_atoms();
    tied.offset = mean.empty() ? nullptr : mean_.as<float>();
    KWTA_ASSIGN_OR_RETURN(dictionary_, backend_->PrepareTiedDictionary(tied));
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
  bool has_auxiliary_loss() const { return spec_.auxiliary_k() > 0; }
  // The auxiliary loss's part of a step: x as the backend has it. REQUIRES: residual_ and host_active_rows_ are of it.
  absl::Status StepDeadUnits(const float* x, int64_t rows, const StepOptions& options);

  struct Parameter {
    const char* name;
    Shape shape;
    Buffer value, velocity;

    size_t bytes() const { return ElementCount(shape) * sizeof(float); }
    std::string velocity_name() const { return absl::StrCat("velocity.", name); }
  };
  // What a backend puts off of the atoms' updates; see TiedParameters.
  struct PutOff {
    const char* name;
    Buffer value;  // [units]
  };
  Parameter& weights() { return parameters_[0]; }
  Parameter& bias() { return parameters_[1]; }
  Parameter& decoder_bias() { return parameters_[2]; }
  PutOff& shift() { return put_off_[0]; }
  PutOff& decay() { return put_off_[1]; }

  const v1::KSparseSpec spec_;
  const int64_t units_;
  const int64_t width_;
  const std::shared_ptr<Backend> backend_;
  std::array<Parameter, 3> parameters_;
  std::array<PutOff, 2> put_off_{{{"put_off.shift", {}}, {"put_off.decay", {}}}};
  Buffer mean_;                                 // [width], or none
  std::unique_ptr<TiedDictionary> dictionary_;  // looks at all of these

  // Scratch memory of a step, kept for the next one.
  Buffer indices_, values_;  // [rows, k]
  Buffer active_rows_;       // [units]
  std::vector<int32_t> host_active_rows_;
  Buffer residual_;  // [rows, width]; with the auxiliary loss only, as what follows

  std::vector<int64_t> idle_rows_;  // [units]: since the unit was in a code
  std::vector<int32_t> dead_units_;
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
  StepStatistics statistics;
  TiedStepArgs step;
  step.dictionary = dictionary_.get();
  step.x = input.as<float>();
  step.rows = rows;
  step.k = options.k;
  step.rate = options.learning_rate;
  step.momentum = options.momentum;
  step.indices = indices_.as<int32_t>();
  step.values = values_.as<float>();
  step.active_rows = active_rows_.as<int32_t>();
  step.squared_error = &statistics.squared_error;
  if (has_auxiliary_loss()) {
    KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * width_ * sizeof(float), &residual_));
    step.residual = residual_.as<float>();
  }
  KWTA_RETURN_IF_ERROR(backend_->TiedStep(step));
  if (!std::isfinite(statistics.squared_error)) return DivergedError();
  KWTA_RETURN_IF_ERROR(
      backend_->CopyToHost(active_rows_.as<void>(), host_active_rows_.data(), units_ * sizeof(int32_t)));
  if (has_auxiliary_loss()) KWTA_RETURN_IF_ERROR(StepDeadUnits(step.x, rows, options));
  return statistics;
}

absl::Status KSparseLearner::StepDeadUnits(const float* x, int64_t rows, const StepOptions& options) {
  dead_units_.clear();
  for (int64_t unit = 0; unit < units_; ++unit) {
    idle_rows_[unit] = host_active_rows_[unit] > 0 ? 0 : idle_rows_[unit] + rows;
    if (idle_rows_[unit] >= static_cast<int64_t>(spec_.dead_after_rows())) {
      dead_units_.push_back(static_cast<int32_t>(unit));
    }
  }
  if (dead_units_.empty()) return absl::OkStatus();
  double squared_error = 0;
  TiedAuxiliaryStepArgs step;
  step.dictionary = dictionary_.get();
  step.x = x;
  step.residual = residual_.as<float>();
  step.rows = rows;
  step.units = dead_units_.data();
  step.count = static_cast<int64_t>(dead_units_.size());
  step.k = std::min<int64_t>(spec_.auxiliary_k(), step.count);
  step.weight = spec_.auxiliary_weight();
  step.rate = options.learning_rate;
  step.squared_error = &squared_error;
  KWTA_RETURN_IF_ERROR(backend_->TiedAuxiliaryStep(step));
  return std::isfinite(squared_error) ? absl::OkStatus() : DivergedError();
}

absl::StatusOr<TensorMap> KSparseLearner::Parameters() const {
  const Parameter& atoms = parameters_[0];
  KWTA_ASSIGN_OR_RETURN(Buffer up_to_date, backend_->Allocate(atoms.bytes()));
  KWTA_RETURN_IF_ERROR(backend_->TiedAtoms({dictionary_.get(), up_to_date.as<float>(), nullptr}));
  TensorMap tensors;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.name],
                          Download(*backend_, parameter.shape, &parameter == &atoms ? up_to_date : parameter.value));
  }
  return tensors;
}

// The numbers as they are stored, with what is put off: bringing atoms up to date here would round them once more than
// in a run without a checkpoint.
absl::StatusOr<TensorMap> KSparseLearner::Checkpoint() const {
  TensorMap tensors;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.name], Download(*backend_, parameter.shape, parameter.value));
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.velocity_name()], Download(*backend_, parameter.shape, parameter.velocity));
  }
  for (const PutOff& put_off : put_off_) {
    KWTA_ASSIGN_OR_RETURN(tensors[put_off.name], Download(*backend_, {units_}, put_off.value));
  }
  if (has_auxiliary_loss()) {
    Tensor& idle_rows = tensors[kIdleRows] = Tensor(DType::kI64, {units_});
    std::copy(idle_rows_.begin(), idle_rows_.end(), idle_rows.as<int64_t>());
  }
  return tensors;
}

absl::Status KSparseLearner::Restore(const TensorMap& state) {
  for (Parameter& parameter : parameters_) {
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, parameter.name, parameter.shape, &parameter.value));
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, parameter.velocity_name(), parameter.shape, &parameter.velocity));
  }
  for (PutOff& put_off : put_off_)
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, put_off.name, {units_}, &put_off.value));
  if (has_auxiliary_loss()) {
    KWTA_ASSIGN_OR_RETURN(const Tensor* idle_rows, FindState(state, kIdleRows, DType::kI64, {units_}));
    std::copy_n(idle_rows->as<int64_t>(), units_, idle_rows_.begin());
  }
  return backend_->RefreshTiedDictionary(*dictionary_);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Learner>> CreateKSparseLearner(const v1::KSparseSpec& spec, int64_t input_width,
                                                              uint64_t seed, std::shared_ptr<Backend> backend,
                                                              const std::vector<float>& mean) {
  auto learner = std::make_unique<KSparseLearner>(spec, input_width, std::move(backend));
  KWTA_RETURN_IF_ERROR(learner->Initialise(seed, mean));
  return learner;
}

}  // namespace kwta
