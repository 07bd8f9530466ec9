// Trains the k-sparse autoencoder: "k-Sparse Autoencoders", section 2.2 (training) and section 4.2.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/rng.h"
#include "core/encoders/k_sparse.h"
#include "core/encoders/learner_state.h"
#include "core/encoders/step_record.h"

namespace kwta {
namespace {

constexpr char kIdleRows[] = "idle_rows";  // in a checkpoint

// Scales a vector to length 1. Zeros stay zeros.
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
      KWTA_ASSIGN_OR_RETURN(parameter.value, AllocateZeroed(*backend_, parameter.bytes()));
      KWTA_ASSIGN_OR_RETURN(parameter.velocity, AllocateZeroed(*backend_, parameter.bytes()));
    }
    Rng rng(seed, kWeightStream);
    std::vector<float> atom(width_);
    for (int64_t h = 0; h < units_; ++h) {
      for (float& weight : atom) weight = static_cast<float>(spec_.init_sigma() * rng.Gaussian());
      if (spec_.unit_norm_atoms()) Normalise(atom);
      KWTA_RETURN_IF_ERROR(
          backend_->CopyFromHost(atom.data(), weights().value.as<float>() + h * width_, width_ * sizeof(float)));
    }
    KWTA_RETURN_IF_ERROR(record_.Create(backend_, units_, has_auxiliary_loss() ? 2 : 1));
    if (has_auxiliary_loss()) {
      KWTA_ASSIGN_OR_RETURN(idle_rows_, AllocateZeroed(*backend_, units_ * sizeof(int64_t)));
    }
    for (PutOff& put_off : put_off_) {
      KWTA_ASSIGN_OR_RETURN(put_off.value, AllocateZeroed(*backend_, units_ * sizeof(float)));
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
  absl::Status Step(const float* x, int64_t rows, const StepOptions& options) override;
  absl::StatusOr<StepStatistics> TakeStatistics() override { return record_.Take(); }
  absl::StatusOr<TensorMap> Parameters() const override;
  absl::StatusOr<TensorMap> Checkpoint() const override;
  absl::Status Restore(const TensorMap& state) override;

 private:
  bool has_auxiliary_loss() const { return spec_.auxiliary_k() > 0; }
  // The velocities of all parameters, one after the other, postponed updates included.
  absl::StatusOr<std::vector<float>> Velocities() const;
  // The auxiliary loss's part of a step. x is in backend memory. REQUIRES: residual_ and idle_rows_ belong to this
  // step.
  absl::Status StepDeadUnits(const float* x, int64_t rows, const StepOptions& options);

  struct Parameter {
    const char* name;
    Shape shape;
    Buffer value, velocity;

    size_t bytes() const { return ElementCount(shape) * sizeof(float); }
    std::string velocity_name() const { return absl::StrCat("velocity.", name); }
  };
  // The part of the atoms' updates that a backend postpones; see TiedParameters.
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
  std::unique_ptr<TiedDictionary> dictionary_;  // points to all of these

  Buffer idle_rows_;  // [units]: rows since the unit was last in a code; with the auxiliary loss only
  StepRecord record_;

  // Scratch memory that steps share.
  StagedInput input_;        // [rows, width]
  Buffer indices_, values_;  // [rows, k]
  Buffer residual_;          // [rows, width]; with the auxiliary loss only
};

int64_t KSparseLearner::ScheduledK(double fraction) const {
  // Section 4.2.1: linear from k_start to k, then k.
  if (fraction >= spec_.anneal_fraction()) return spec_.k();
  const double fallen = fraction / spec_.anneal_fraction();
  const double k_start = spec_.k_start();
  return std::llround(k_start + (spec_.k() - k_start) * fallen);
}

absl::Status KSparseLearner::Step(const float* x, int64_t rows, const StepOptions& options) {
  KWTA_RETURN_IF_ERROR(record_.Begin());
  KWTA_RETURN_IF_ERROR(input_.Stage(*backend_, x, rows * width_ * sizeof(float)));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * options.k * sizeof(int32_t), &indices_));
  KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * options.k * sizeof(float), &values_));
  TiedStepArgs step;
  step.dictionary = dictionary_.get();
  step.x = input_.as<float>();
  step.rows = rows;
  step.k = options.k;
  step.rate = options.learning_rate;
  step.momentum = options.momentum;
  step.indices = indices_.as<int32_t>();
  step.values = values_.as<float>();
  step.active_rows = record_.active_rows();
  step.squared_error = record_.error(0);
  if (has_auxiliary_loss()) {
    KWTA_RETURN_IF_ERROR(Reserve(*backend_, rows * width_ * sizeof(float), &residual_));
    step.residual = residual_.as<float>();
    step.idle_rows = idle_rows_.as<int64_t>();
  }
  std::vector<float> before;
  if (options.measure_gradient) {
    KWTA_ASSIGN_OR_RETURN(before, Velocities());
  }
  KWTA_RETURN_IF_ERROR(backend_->TiedStep(step));
  if (options.measure_gradient) {
    // The step left no gradient behind, but velocity' = momentum * velocity - rate * gradient.
    KWTA_ASSIGN_OR_RETURN(const std::vector<float> after, Velocities());
    double squared = 0;
    for (size_t i = 0; i < after.size(); ++i) {
      const double moved = double{options.momentum} * before[i] - after[i];
      squared += moved * moved;
    }
    record_.set_gradient_norm(std::sqrt(squared) / options.learning_rate);
  }
  return has_auxiliary_loss() ? StepDeadUnits(step.x, rows, options) : absl::OkStatus();
}

absl::StatusOr<std::vector<float>> KSparseLearner::Velocities() const {
  KWTA_ASSIGN_OR_RETURN(const Tensor decay, Download(*backend_, {units_}, put_off_[1].value));
  std::vector<float> velocities;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(const Tensor velocity, Download(*backend_, parameter.shape, parameter.velocity));
    velocities.insert(velocities.end(), velocity.as<float>(), velocity.as<float>() + velocity.elements());
  }
  for (int64_t h = 0; h < units_; ++h) {  // the atoms come first
    for (int64_t d = 0; d < width_; ++d) velocities[h * width_ + d] *= decay.as<float>()[h];
  }
  return velocities;
}

absl::Status KSparseLearner::StepDeadUnits(const float* x, int64_t rows, const StepOptions& options) {
  TiedAuxiliaryStepArgs step;
  step.dictionary = dictionary_.get();
  step.x = x;
  step.residual = residual_.as<float>();
  step.rows = rows;
  step.idle_rows = idle_rows_.as<int64_t>();
  step.dead_after_rows = static_cast<int64_t>(spec_.dead_after_rows());
  step.k = spec_.auxiliary_k();
  step.weight = spec_.auxiliary_weight();
  step.rate = options.learning_rate;
  step.squared_error = record_.error(1);
  return backend_->TiedAuxiliaryStep(step);
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

// Stores the atoms as they are, and their postponed updates beside them. Applying those here would round the atoms once
// more than in a run without a checkpoint.
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
    KWTA_ASSIGN_OR_RETURN(tensors[kIdleRows], Download(*backend_, {units_}, idle_rows_, DType::kI64));
  }
  return tensors;
}

absl::Status KSparseLearner::Restore(const TensorMap& state) {
  KWTA_RETURN_IF_ERROR(record_.Clear());
  for (Parameter& parameter : parameters_) {
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, parameter.name, parameter.shape, &parameter.value));
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, parameter.velocity_name(), parameter.shape, &parameter.velocity));
  }
  for (PutOff& put_off : put_off_)
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, put_off.name, {units_}, &put_off.value));
  if (has_auxiliary_loss()) {
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, kIdleRows, {units_}, &idle_rows_, DType::kI64));
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
