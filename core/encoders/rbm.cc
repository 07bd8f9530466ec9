#include "core/encoders/rbm.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

constexpr uint32_t kMostRbmUnits = 1u << 20;
constexpr uint32_t kMostGibbsSteps = 1000;
constexpr uint32_t kMostChains = 65'536;
constexpr uint64_t kMostChainUnits = uint64_t{1} << 31;  // hidden units of all chains together, as many as of a batch

template <typename T>
absl::Status InvalidRbm(absl::string_view field, const T& value, absl::string_view expected) {
  return InvalidField(absl::StrCat("encoder.rbm.", field), value, expected);
}

constexpr SpecOption kRbmOptions[] = {
    {"--units", "units", "Hidden units, 1 .. 1048576"},
    {"--gibbs-steps", "gibbs_steps", "Steps of the Gibbs chain in each update, the k of CD-k, 1 .. 1000"},
    {"--persistent", "persistent", "Let the chains go on from update to update (PCD)"},
    {"--chains", "chains", "Persistent chains, 1 .. 65536", "100"},
    {"--sample-visible", "sample_visible",
     "Draw the visible units of the chains instead of taking their probabilities"},
    {"--weight-decay", "weight_decay", "Subtract this times the weights from the gradient, at least 0"},
    {"--init-sigma", "init_sigma", "Standard deviation of the encoder's initial weights, above 0"},
};

constexpr const char* kRbmTraits[] = {"persistent", "gibbs_steps"};

// Beside the defaults of 0.01 and 0.0002.
constexpr StrongSetting kRbmStrong[] = {{"init_sigma", 0.1f}, {"weight_decay", 0.1f}};

}  // namespace

const EncoderKind& RbmKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "rbm";
    row.kind_case = v1::EncoderSpec::kRbm;
    row.training_defaults = [](const v1::EncoderSpec&) -> TrainingDefaults { return {false, 0.05f, 0}; };
    row.unit_interval = [](const v1::EncoderSpec&) { return "a Boltzmann machine reads probabilities, 0 .. 1"; };
    row.options = kRbmOptions;
    row.traits = kRbmTraits;
    row.strong_settings = kRbmStrong;
    row.resolve = [](v1::EncoderSpec* spec) { return ResolveRbm(spec->mutable_rbm()); };
    row.code_shape = [](const v1::EncoderSpec& spec) -> Shape { return {spec.rbm().units()}; };
    row.row_scores = [](const v1::EncoderSpec& spec) -> int64_t { return spec.rbm().units(); };
    row.active_above = [](const v1::EncoderSpec&) { return ActivationThreshold(Activation::kSigmoid); };
    row.tuned_code = [](const v1::EncoderSpec&) {
      TunedCode code;
      code.activation = Activation::kSigmoid;
      return code;
    };
    row.create_learner = CreateRbmLearner;
    row.create_encoder = [](const ModelBundle& bundle,
                            std::shared_ptr<Backend> backend) -> absl::StatusOr<std::shared_ptr<const Encoder>> {
      v1::RbmSpec spec = bundle.description.encoder().rbm();
      KWTA_RETURN_IF_ERROR(InDescription(ResolveRbm(&spec)));
      return CreateTiedEncoder({"a restricted Boltzmann machine", spec.units(), Activation::kSigmoid, true}, bundle,
                               std::move(backend));
    };
    return row;
  }();
  return kind;
}

absl::Status ResolveRbm(v1::RbmSpec* spec) {
  if (!spec->has_units()) spec->set_units(1000);
  if (spec->units() < 1 || spec->units() > kMostRbmUnits) {
    return InvalidRbm("units", spec->units(), absl::StrCat("1 .. ", kMostRbmUnits));
  }
  if (!spec->has_gibbs_steps()) spec->set_gibbs_steps(1);
  if (spec->gibbs_steps() < 1 || spec->gibbs_steps() > kMostGibbsSteps) {
    return InvalidRbm("gibbs_steps", spec->gibbs_steps(),
                      absl::StrCat("1 .. ", kMostGibbsSteps, ": contrastive divergence takes at least one step"));
  }
  if (!spec->has_persistent()) spec->set_persistent(false);
  if (!spec->persistent() && spec->has_chains()) {
    return InvalidRbm("chains", spec->chains(), "no value: without persistent, each row of a batch starts a chain");
  }
  if (spec->persistent()) {
    if (!spec->has_chains()) spec->set_chains(100);
    if (spec->chains() < 1 || spec->chains() > kMostChains) {
      return InvalidRbm("chains", spec->chains(), absl::StrCat("1 .. ", kMostChains));
    }
    if (uint64_t{spec->chains()} * spec->units() > kMostChainUnits) {
      return InvalidRbm("chains", spec->chains(),
                        absl::StrCat("1 .. ", kMostChainUnits / spec->units(), " with ", spec->units(), " units"));
    }
  }
  if (!spec->has_sample_visible()) spec->set_sample_visible(true);
  if (!spec->has_weight_decay()) spec->set_weight_decay(0.0002f);
  if (!(spec->weight_decay() >= 0) || !std::isfinite(spec->weight_decay())) {
    return InvalidRbm("weight_decay", spec->weight_decay(), "a finite number, at least 0");
  }
  if (!spec->has_init_sigma()) spec->set_init_sigma(0.01f);
  if (!(spec->init_sigma() > 0) || !std::isfinite(spec->init_sigma())) {
    return InvalidRbm("init_sigma", spec->init_sigma(), "a finite number above 0, such as 0.01");
  }
  return absl::OkStatus();
}

std::vector<double> RbmFreeEnergy(const TensorMap& tensors, const float* x, int64_t rows) {
  const Tensor& atoms = tensors.at("atoms");
  const int64_t units = atoms.shape()[0], width = atoms.shape()[1];
  const float *bias = tensors.at("bias").as<float>(), *visible_bias = tensors.at("decoder_bias").as<float>();
  std::vector<double> energies(rows);
  for (int64_t i = 0; i < rows; ++i) {
    const float* const row = x + i * width;
    for (int64_t d = 0; d < width; ++d) energies[i] -= static_cast<double>(visible_bias[d]) * row[d];
    for (int64_t j = 0; j < units; ++j) {
      double a = bias[j];
      for (int64_t d = 0; d < width; ++d) a += static_cast<double>(atoms.as<float>()[j * width + d]) * row[d];
      energies[i] -= ActivationAt(Activation::kSoftplus, a).value;
    }
  }
  return energies;
}

}  // namespace kwta
