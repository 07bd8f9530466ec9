#include "core/training/fine_tuning/tuned_layer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "core/backends/staging.h"
#include "core/base/status_macros.h"
#include "core/encoders/learner_state.h"

namespace kwta {

void CodeBatch::ToDense(int64_t units, std::vector<float>* dense) const {
  dense->assign(rows * units, 0.0f);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t e = i * k; e < (i + 1) * k; ++e) (*dense)[i * units + indices[e]] = values[e];
  }
}

absl::StatusOr<TunedLayer> TunedLayer::Create(const TensorMap& tensors, const TunedCode& code,
                                              std::shared_ptr<Backend> backend) {
  const Tensor& atoms = tensors.at("atoms");
  TunedLayer layer(atoms.shape()[0], atoms.shape()[1], code, std::move(backend));
  KWTA_RETURN_IF_ERROR(layer.Allocate(layer.units_ * layer.width_, atoms, &layer.atoms_));
  KWTA_RETURN_IF_ERROR(layer.Allocate(layer.units_, tensors.at("bias"), &layer.bias_));
  KWTA_ASSIGN_OR_RETURN(layer.active_rows_, layer.backend_->Allocate(layer.units_ * sizeof(int32_t)));
  if (code.k == 0) return layer;
  KWTA_ASSIGN_OR_RETURN(layer.dictionary_,
                        layer.backend_->PrepareDictionary(layer.atoms_.value.as<float>(), layer.bias_.value.as<float>(),
                                                          layer.units_, layer.width_));
  return layer;
}

absl::Status TunedLayer::Allocate(size_t elements, const Tensor& value, Parameter* parameter) {
  const size_t bytes = elements * sizeof(float);
  KWTA_ASSIGN_OR_RETURN(parameter->value, CopyToBackend(*backend_, value.data(), bytes));
  KWTA_ASSIGN_OR_RETURN(parameter->velocity, AllocateZeroed(*backend_, bytes));
  KWTA_ASSIGN_OR_RETURN(parameter->gradient, backend_->Allocate(bytes));
  return absl::OkStatus();
}

absl::Status TunedLayer::Encode(const float* x, int64_t rows, double dropout, Rng* rng, CodeBatch* codes) {
  codes->rows = rows;
  codes->slopes.clear();
  KWTA_RETURN_IF_ERROR(code_.k > 0 ? EncodeLargest(x, rows, codes) : EncodeActivities(x, rows, dropout, rng, codes));
  const bool finite = std::all_of(codes->values.begin(), codes->values.end(), [](float z) { return std::isfinite(z); });
  if (!finite)
    return absl::FailedPreconditionError("fine-tuning has diverged: a batch has activities that are not finite");
  if (code_.k == 0 || dropout == 0) return absl::OkStatus();
  const auto kept = static_cast<float>(1 / (1 - dropout));
  for (float& value : codes->values) {
    codes->slopes.push_back(rng->Uniform() <= dropout ? 0.0f : kept);
    value *= codes->slopes.back();
  }
  return absl::OkStatus();
}

absl::Status TunedLayer::EncodeActivities(const float* x, int64_t rows, double dropout, Rng* rng, CodeBatch* codes) {
  pre_activations_.resize(rows * units_);
  biases_.resize(units_);
  KWTA_ASSIGN_OR_RETURN(const StagedInput input, StagedInput::Create(*backend_, x, rows * width_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput products, StagedOutput::Create(*backend_, pre_activations_.data(),
                                                                    pre_activations_.size() * sizeof(float)));
  GemmArgs args;
  args.a = input.as<float>();
  args.b = atoms_.value.as<float>();
  args.c = products.as<float>();
  args.m = rows;
  args.n = units_;
  args.k = width_;
  args.transpose_b = true;
  args.sparse_a = true;  // images, or the codes below
  KWTA_RETURN_IF_ERROR(backend_->Gemm(args));
  KWTA_RETURN_IF_ERROR(products.Finish(*backend_));
  KWTA_RETURN_IF_ERROR(backend_->CopyToHost(bias_.value.as<void>(), biases_.data(), biases_.size() * sizeof(float)));
  factors_.assign(rows * units_, 1.0f);
  if (dropout > 0) {
    const Dropout drawn{static_cast<float>(dropout), rng->UniformBelow(uint64_t{1} << 63), 0};
    for (int64_t i = 0; i < rows; ++i) DrawDropout(drawn, i, units_, factors_.data() + i * units_);
  }
  // Entries are those with a slope. ReLU's others, and those that are dropped, are never multiplied.
  const bool relu = code_.activation == Activation::kReLU;
  std::vector<int64_t> listed(rows);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < units_; ++j) {
      float& a = pre_activations_[i * units_ + j];
      a += biases_[j];
      if (relu && a <= 0) factors_[i * units_ + j] = 0;
      listed[i] += factors_[i * units_ + j] != 0;
    }
  }
  const int64_t k = std::max<int64_t>(1, *std::max_element(listed.begin(), listed.end()));
  codes->k = k;
  codes->indices.resize(rows * k);
  codes->values.resize(rows * k);
  codes->slopes.resize(rows * k);
  for (int64_t i = 0; i < rows; ++i) {
    // Rows with fewer entries end with units that are not listed, with values and slopes of zero.
    int64_t next = i * k, next_unlisted = i * k + listed[i];
    for (int64_t j = 0; j < units_; ++j) {
      const float factor = factors_[i * units_ + j];
      if (factor == 0 && next_unlisted == (i + 1) * k) continue;
      const int64_t e = factor != 0 ? next++ : next_unlisted++;
      const ActivationPoint<float> point = ActivationAt(code_.activation, pre_activations_[i * units_ + j]);
      codes->indices[e] = static_cast<int32_t>(j);
      codes->values[e] = factor * point.value;
      codes->slopes[e] = factor * point.slope;
    }
  }
  return absl::OkStatus();
}

absl::Status TunedLayer::EncodeLargest(const float* x, int64_t rows, CodeBatch* codes) {
  const int64_t k = code_.k;
  codes->k = k;
  codes->indices.resize(rows * k);
  codes->values.resize(rows * k);
  if (dictionary_is_stale_) KWTA_RETURN_IF_ERROR(backend_->RefreshDictionary(*dictionary_));
  dictionary_is_stale_ = false;
  KWTA_ASSIGN_OR_RETURN(const StagedInput input, StagedInput::Create(*backend_, x, rows * width_ * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput indices,
                        StagedOutput::Create(*backend_, codes->indices.data(), rows * k * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput values,
                        StagedOutput::Create(*backend_, codes->values.data(), rows * k * sizeof(float)));
  AffineTopKArgs args;
  args.dictionary = dictionary_.get();
  args.x = input.as<float>();
  args.rows = rows;
  args.k = k;
  args.indices = indices.as<int32_t>();
  args.values = values.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->AffineTopK(args));
  KWTA_RETURN_IF_ERROR(indices.Finish(*backend_));
  return values.Finish(*backend_);
}

absl::Status TunedLayer::InputGradient(const CodeBatch& codes, const std::vector<float>& dz, std::vector<float>* dx) {
  dx->resize(codes.rows * width_);
  const size_t entries = codes.indices.size();
  KWTA_ASSIGN_OR_RETURN(const StagedInput indices,
                        StagedInput::Create(*backend_, codes.indices.data(), entries * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput values, StagedInput::Create(*backend_, dz.data(), entries * sizeof(float)));
  KWTA_ASSIGN_OR_RETURN(StagedOutput output, StagedOutput::Create(*backend_, dx->data(), dx->size() * sizeof(float)));
  // dx = sum dz_j w_j over the active units: the decoding of dz.
  SparseDecodeArgs args;
  args.atoms = atoms_.value.as<float>();
  args.indices = indices.as<int32_t>();
  args.values = values.as<float>();
  args.rows = codes.rows;
  args.k = codes.k;
  args.width = width_;
  args.output = output.as<float>();
  KWTA_RETURN_IF_ERROR(backend_->SparseDecode(args));
  return output.Finish(*backend_);
}

absl::Status TunedLayer::Step(const CodeBatch& codes, const std::vector<float>& dz, const float* x,
                              const CodeBatch* below, const Rates& rates) {
  const size_t entries = codes.indices.size();
  KWTA_ASSIGN_OR_RETURN(const StagedInput indices,
                        StagedInput::Create(*backend_, codes.indices.data(), entries * sizeof(int32_t)));
  KWTA_ASSIGN_OR_RETURN(const StagedInput slopes, StagedInput::Create(*backend_, dz.data(), entries * sizeof(float)));
  StagedInput dense, below_indices, below_values;
  ActiveGradientArgs args;
  if (x != nullptr) {
    KWTA_ASSIGN_OR_RETURN(dense, StagedInput::Create(*backend_, x, codes.rows * width_ * sizeof(float)));
    args.x = dense.as<float>();
  } else {
    const size_t size = below->indices.size();
    KWTA_ASSIGN_OR_RETURN(below_indices, StagedInput::Create(*backend_, below->indices.data(), size * sizeof(int32_t)));
    KWTA_ASSIGN_OR_RETURN(below_values, StagedInput::Create(*backend_, below->values.data(), size * sizeof(float)));
    args.x_indices = below_indices.as<int32_t>();
    args.x_values = below_values.as<float>();
    args.x_k = below->k;
  }
  args.indices = indices.as<int32_t>();
  args.dz = slopes.as<float>();
  args.rows = codes.rows;
  args.k = codes.k;
  args.units = units_;
  args.width = width_;
  args.atoms = atoms_.value.as<float>();
  args.decay = rates.l2;
  args.gradient_atoms = atoms_.gradient.as<float>();
  args.gradient_bias = bias_.gradient.as<float>();
  args.active_rows = active_rows_.as<int32_t>();
  KWTA_RETURN_IF_ERROR(backend_->ActiveGradient(args));

  dictionary_is_stale_ = true;
  MomentumUpdateArgs update;
  update.rate = rates.rate;
  update.momentum = rates.momentum;
  update.parameter = atoms_.value.as<float>();
  update.velocity = atoms_.velocity.as<float>();
  update.gradient = args.gradient_atoms;
  update.active_rows = args.active_rows;
  update.rows = units_;
  update.width = width_;
  KWTA_RETURN_IF_ERROR(backend_->MomentumUpdate(update));
  update.parameter = bias_.value.as<float>();
  update.velocity = bias_.velocity.as<float>();
  update.gradient = args.gradient_bias;
  update.active_rows = nullptr;
  update.rows = 1;
  update.width = units_;
  return backend_->MomentumUpdate(update);
}

absl::StatusOr<TensorMap> TunedLayer::Parameters(bool velocities) const {
  const Shape atoms{units_, width_}, bias{units_};
  TensorMap tensors;
  KWTA_ASSIGN_OR_RETURN(tensors["atoms"], Download(*backend_, atoms, atoms_.value));
  KWTA_ASSIGN_OR_RETURN(tensors["bias"], Download(*backend_, bias, bias_.value));
  if (!velocities) return tensors;
  KWTA_ASSIGN_OR_RETURN(tensors["velocity.atoms"], Download(*backend_, atoms, atoms_.velocity));
  KWTA_ASSIGN_OR_RETURN(tensors["velocity.bias"], Download(*backend_, bias, bias_.velocity));
  return tensors;
}

absl::Status TunedLayer::Restore(const TensorMap& state, const std::string& prefix) {
  const Shape atoms{units_, width_}, bias{units_};
  dictionary_is_stale_ = true;
  KWTA_RETURN_IF_ERROR(Upload(*backend_, state, prefix + "atoms", atoms, &atoms_.value));
  KWTA_RETURN_IF_ERROR(Upload(*backend_, state, prefix + "bias", bias, &bias_.value));
  KWTA_RETURN_IF_ERROR(Upload(*backend_, state, prefix + "velocity.atoms", atoms, &atoms_.velocity));
  return Upload(*backend_, state, prefix + "velocity.bias", bias, &bias_.velocity);
}

}  // namespace kwta
