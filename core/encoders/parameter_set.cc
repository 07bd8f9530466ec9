#include "core/encoders/parameter_set.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/backends/staging.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr char kAdamSteps[] = "adam.steps";

}  // namespace

absl::StatusOr<int> ParameterSet::Add(const std::string& name, const Shape& shape, const std::vector<float>& elements,
                                      const RowLength& row_length) {
  Parameter parameter;
  parameter.row_length = row_length;
  parameter.name = name;
  parameter.shape = shape;
  const size_t bytes = elements.size() * sizeof(float);
  KWTA_ASSIGN_OR_RETURN(parameter.value, CopyToBackend(*backend_, elements.data(), bytes));
  KWTA_ASSIGN_OR_RETURN(parameter.gradient, AllocateZeroed(*backend_, bytes));
  const std::vector<const char*> prefixes = optimiser_ == v1::OPTIMISER_ADAM
                                                ? std::vector<const char*>{"adam.first.", "adam.second."}
                                                : std::vector<const char*>{"velocity."};
  for (const char* prefix : prefixes) {
    KWTA_ASSIGN_OR_RETURN(Buffer buffer, AllocateZeroed(*backend_, bytes));
    parameter.state.push_back({prefix, std::move(buffer)});
  }
  parameters_.push_back(std::move(parameter));
  return static_cast<int>(parameters_.size()) - 1;
}

absl::StatusOr<double> ParameterSet::GradientNorm() const {
  double squared = 0;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(const Tensor gradient, Download(*backend_, parameter.shape, parameter.gradient));
    const float* elements = gradient.as<float>();
    for (int64_t i = 0; i < gradient.elements(); ++i) squared += double{elements[i]} * elements[i];
  }
  return std::sqrt(squared);
}

absl::Status ParameterSet::Update(const StepOptions& options) {
  ++steps_;
  for (Parameter& parameter : parameters_) {
    if (optimiser_ == v1::OPTIMISER_ADAM) {
      AdamUpdateArgs args;
      args.parameter = parameter.value.as<float>();
      args.first = parameter.state[0].buffer.as<float>();
      args.second = parameter.state[1].buffer.as<float>();
      args.gradient = parameter.gradient.as<float>();
      args.size = parameter.size();
      args.step = steps_;
      args.rate = options.learning_rate;
      args.beta1 = options.momentum;
      KWTA_RETURN_IF_ERROR(backend_->AdamUpdate(args));
    } else {
      MomentumUpdateArgs args;
      args.parameter = parameter.value.as<float>();
      args.velocity = parameter.state[0].buffer.as<float>();
      args.gradient = parameter.gradient.as<float>();
      args.unit_norm = parameter.row_length.unit;
      args.max_norm = parameter.row_length.max;
      args.rows = args.unit_norm || args.max_norm > 0 ? parameter.shape[0] : 1;
      args.width = parameter.size() / args.rows;
      args.rate = options.learning_rate;
      args.momentum = options.momentum;
      KWTA_RETURN_IF_ERROR(backend_->MomentumUpdate(args));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorMap> ParameterSet::Values() const {
  TensorMap tensors;
  for (const Parameter& parameter : parameters_) {
    KWTA_ASSIGN_OR_RETURN(tensors[parameter.name], Download(*backend_, parameter.shape, parameter.value));
  }
  return tensors;
}

absl::StatusOr<TensorMap> ParameterSet::State() const {
  KWTA_ASSIGN_OR_RETURN(TensorMap tensors, Values());
  for (const Parameter& parameter : parameters_) {
    for (const StateBuffer& state : parameter.state) {
      KWTA_ASSIGN_OR_RETURN(tensors[absl::StrCat(state.prefix, parameter.name)],
                            Download(*backend_, parameter.shape, state.buffer));
    }
  }
  if (optimiser_ == v1::OPTIMISER_ADAM) {
    Tensor steps(DType::kI64, {1});
    *steps.as<int64_t>() = steps_;
    tensors[kAdamSteps] = std::move(steps);
  }
  return tensors;
}

absl::Status ParameterSet::Restore(const TensorMap& state) {
  for (Parameter& parameter : parameters_) {
    KWTA_RETURN_IF_ERROR(Upload(*backend_, state, parameter.name, parameter.shape, &parameter.value));
    for (StateBuffer& each : parameter.state) {
      KWTA_RETURN_IF_ERROR(
          Upload(*backend_, state, absl::StrCat(each.prefix, parameter.name), parameter.shape, &each.buffer));
    }
  }
  if (optimiser_ != v1::OPTIMISER_ADAM) return absl::OkStatus();
  KWTA_ASSIGN_OR_RETURN(const Tensor* steps, FindState(state, kAdamSteps, DType::kI64, {1}));
  if (*steps->as<int64_t>() < 0) {
    return absl::DataLossError(absl::StrCat("the state counts ", *steps->as<int64_t>(), " steps of Adam"));
  }
  steps_ = *steps->as<int64_t>();
  return absl::OkStatus();
}

}  // namespace kwta
