#include "core/encoders/regularised.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

using Spec = v1::RegularisedSpec;

constexpr uint32_t kMostRegularisedUnits = 1u << 20;

template <typename T>
absl::Status InvalidRegularised(absl::string_view field, const T& value, absl::string_view expected) {
  return InvalidField(absl::StrCat("encoder.regularised.", field), value, expected);
}

absl::Status CheckNotNegative(absl::string_view field, float value) {
  if (value >= 0 && std::isfinite(value)) return absl::OkStatus();
  return InvalidRegularised(field, value, "a finite number, at least 0");
}

absl::Status CheckRegulariser(const Spec& spec) {
  switch (spec.regulariser_case()) {
    case Spec::kGaussianNoise:
      return CheckNotNegative("gaussian_noise", spec.gaussian_noise());
    case Spec::kMaskingNoise:
      if (spec.masking_noise() >= 0 && spec.masking_noise() < 1) return absl::OkStatus();
      return InvalidRegularised("masking_noise", spec.masking_noise(),
                                "0 .. 1, 1 excluded: a mask of everything leaves nothing to learn from");
    case Spec::kFirstOrderNoise:
      return CheckNotNegative("first_order_noise", spec.first_order_noise());
    case Spec::kContraction:
      return CheckNotNegative("contraction", spec.contraction());
    case Spec::kMarginalisedNoise:
      return CheckNotNegative("marginalised_noise", spec.marginalised_noise());
    default:
      return CheckNotNegative("sparse_penalty", spec.sparse_penalty());
  }
}

absl::Status ResolveSparsity(Spec* spec) {
  if (spec->regulariser_case() != Spec::kSparsePenalty) {
    const std::pair<const char*, bool> only_there[] = {{"target_activity", spec->has_target_activity()},
                                                       {"activity_limit", spec->has_activity_limit()},
                                                       {"mean_decay", spec->has_mean_decay()}};
    for (const auto& [field, set] : only_there) {
      if (set) return InvalidRegularised(field, "set", "no value: only the sparse penalty has it");
    }
    return absl::OkStatus();
  }
  if (!spec->has_target_activity()) spec->set_target_activity(0);
  if (!(spec->target_activity() >= 0 && spec->target_activity() < 1)) {
    return InvalidRegularised("target_activity", spec->target_activity(),
                              "above 0 and below 1, or 0 for equation (13)");
  }
  if (!spec->has_activity_limit()) {
    if (spec->activation() != v1::ACTIVATION_SIGMOID) {
      return InvalidRegularised(
          "activity_limit", "not set",
          absl::StrCat("a number above ", spec->target_activity(),
                       " and below 1, such as 0.9: activities of this activation are not bounded, "
                       "and the sparse penalty is defined for mean activities below 1 only"));
    }
    spec->set_activity_limit(0.999f);
  }
  if (!(spec->activity_limit() > spec->target_activity() && spec->activity_limit() < 1)) {
    return InvalidRegularised("activity_limit", spec->activity_limit(),
                              absl::StrCat("above ", spec->target_activity(), ", the target_activity, and below 1"));
  }
  if (!spec->has_mean_decay()) spec->set_mean_decay(0.9f);
  if (!(spec->mean_decay() >= 0 && spec->mean_decay() < 1)) {
    return InvalidRegularised("mean_decay", spec->mean_decay(), "0 .. 1, 1 excluded");
  }
  return absl::OkStatus();
}

constexpr SpecOption kRegularisedOptions[] = {
    {"--units", "units", "Hidden units, 1 .. 1048576"},
    {"--activation", "activation", "Function from pre-activations to activities"},
    {"--gaussian-noise", "gaussian_noise", "Denoising: variance of the noise on each input, at least 0"},
    {"--masking-noise", "masking_noise", "Denoising: probability of hiding an element of an input, 0 .. 1, 1 excluded",
     ""},
    {"--first-order-noise", "first_order_noise", "Only the first-order term of denoising: variance of the noise", ""},
    {"--contraction", "contraction", "Contractive: weight of sum (h')^2 |W|^2, at least 0", ""},
    {"--marginalised-noise", "marginalised_noise", "Marginalised denoising: weight of sum (h')^2 |W|^4, at least 0",
     ""},
    {"--sparse-penalty", "sparse_penalty", "Sparse: weight of the penalty on mean activities, at least 0", ""},
    {"--target-activity", "target_activity", "Sparse: desired mean activity, 0 .. 1, 1 excluded", "0"},
    {"--activity-limit", "activity_limit", "Sparse: mean activity from which the penalty is linear, below 1",
     "0.999 for sigmoid"},
    {"--mean-decay", "mean_decay", "Sparse: share of the earlier batches in the mean activity, 0 .. 1, 1 excluded",
     "0.9"},
    {"--unit-length", "unit_length", "Keep rows of weights at length 1"},
    {"--max-length", "max_length", "Keep rows of weights at most this long, above 0", ""},
    {"--weight-decay", "weight_decay", "Add half of this times the squared weights to the loss, at least 0", ""},
};

constexpr const char* kRegularisedTraits[] = {
    "activation",     "gaussian_noise",  "masking_noise", "first_order_noise", "contraction", "marginalised_noise",
    "sparse_penalty", "target_activity", "unit_length",   "max_length",        "weight_decay"};

// Noise and penalties from about a tenth of what reconstruction itself brings: rows have a variance of about 1.
constexpr StrongSetting kRegularisedStrong[] = {
    {"gaussian_noise", 0.09f}, {"first_order_noise", 0.09f}, {"contraction", 0.09f}, {"marginalised_noise", 0.09f},
    {"sparse_penalty", 0.09f}, {"masking_noise", 0.5f},      {"weight_decay", 0.09f}};

}  // namespace

const EncoderKind& RegularisedKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "regularised";
    row.kind_case = v1::EncoderSpec::kRegularised;
    row.training_defaults = [](const v1::EncoderSpec&) -> TrainingDefaults { return {true, 0.01f, 0}; };
    row.options = kRegularisedOptions;
    row.traits = kRegularisedTraits;
    row.strong_settings = kRegularisedStrong;
    row.advice = [](const v1::EncoderSpec& spec) -> std::string {
      const v1::RegularisedSpec& regularised = spec.regularised();
      if (ActivationOf(regularised.activation()) != Activation::kReLU || !regularised.unit_length()) return "";
      if (!(regularised.contraction() > 0) && !(regularised.marginalised_noise() > 0)) return "";
      return absl::StrCat(
          "encoder.regularised.", regularised.contraction() > 0 ? "contraction" : "marginalised_noise",
          " changes nothing: of ReLU units whose weights keep length 1 the penalty has no gradient; take "
          "another activation, or unit_length false");
    };
    row.resolve = [](v1::EncoderSpec* spec) { return ResolveRegularised(spec->mutable_regularised()); };
    row.code_shape = [](const v1::EncoderSpec& spec) -> Shape { return {spec.regularised().units()}; };
    row.row_scores = [](const v1::EncoderSpec& spec) -> int64_t { return spec.regularised().units(); };
    row.active_above = [](const v1::EncoderSpec& spec) {
      return ActivationThreshold(ActivationOf(spec.regularised().activation()));
    };
    row.tuned_code = [](const v1::EncoderSpec& spec) {
      TunedCode code;
      code.activation = ActivationOf(spec.regularised().activation());
      code.input_dropout = spec.regularised().masking_noise();  // 0 unless it is the one that is set
      return code;
    };
    row.create_learner = [](const LearnerSetup& setup) {
      return CreateTiedLearner(RegularisedLearning(setup.encoder.regularised()), setup);
    };
    row.create_encoder = [](const ModelBundle& bundle,
                            std::shared_ptr<Backend> backend) -> absl::StatusOr<std::shared_ptr<const Encoder>> {
      Spec spec = bundle.description.encoder().regularised();
      KWTA_RETURN_IF_ERROR(InDescription(ResolveRegularised(&spec)));
      TiedEncoderForm form{"a regularised autoencoder", spec.units(), ActivationOf(spec.activation())};
      const RegularisedPassArgs pass = RegularisedLearning(spec).pass;
      if (!pass.first_order) form.corruption = pass.corruption;  // eDAE reconstructs clean rows
      return CreateTiedEncoder(form, bundle, std::move(backend));
    };
    return row;
  }();
  return kind;
}

absl::Status ResolveRegularised(Spec* spec) {
  if (!spec->has_units()) spec->set_units(1000);
  if (spec->units() < 1 || spec->units() > kMostRegularisedUnits) {
    return InvalidRegularised("units", spec->units(), absl::StrCat("1 .. ", kMostRegularisedUnits));
  }
  if (spec->activation() == v1::ACTIVATION_UNSPECIFIED) spec->set_activation(v1::ACTIVATION_RELU);
  if (!v1::Activation_IsValid(spec->activation())) {
    return InvalidRegularised("activation", static_cast<int>(spec->activation()),
                              "ACTIVATION_RELU, ACTIVATION_SIGMOID or ACTIVATION_SOFTPLUS");
  }
  if (spec->regulariser_case() == Spec::REGULARISER_NOT_SET) spec->set_gaussian_noise(0.01f);
  KWTA_RETURN_IF_ERROR(CheckRegulariser(*spec));
  KWTA_RETURN_IF_ERROR(ResolveSparsity(spec));
  switch (spec->weights_case()) {
    case Spec::WEIGHTS_NOT_SET:
      spec->set_unit_length(true);
      return absl::OkStatus();
    case Spec::kMaxLength:
      if (spec->max_length() > 0 && std::isfinite(spec->max_length())) return absl::OkStatus();
      return InvalidRegularised("max_length", spec->max_length(), "a finite number above 0, such as 1");
    case Spec::kWeightDecay:
      return CheckNotNegative("weight_decay", spec->weight_decay());
    default:
      return absl::OkStatus();
  }
}

TiedLearning RegularisedLearning(const Spec& spec) {
  TiedLearning learning;
  learning.row_length.unit = spec.unit_length();  // false unless it is the one that is set
  learning.row_length.max = spec.max_length();
  RegularisedPassArgs* const pass = &learning.pass;
  pass->units = spec.units();
  pass->activation = ActivationOf(spec.activation());
  switch (spec.regulariser_case()) {
    case Spec::kGaussianNoise:
      pass->corruption.kind = CorruptionKind::kGaussian;
      pass->corruption.amount = spec.gaussian_noise();
      break;
    case Spec::kMaskingNoise:
      pass->corruption.kind = CorruptionKind::kMasking;
      pass->corruption.amount = spec.masking_noise();
      break;
    case Spec::kFirstOrderNoise:
      pass->corruption.kind = CorruptionKind::kGaussian;
      pass->corruption.amount = spec.first_order_noise();
      pass->first_order = spec.first_order_noise() > 0;
      break;
    case Spec::kContraction:
      pass->contraction = spec.contraction();
      break;
    case Spec::kMarginalisedNoise:
      pass->marginal = spec.marginalised_noise();
      break;
    default:
      pass->sparsity.weight = spec.sparse_penalty();
      pass->sparsity.target = spec.target_activity();
      pass->sparsity.limit = spec.activity_limit();
      pass->sparsity.mean_decay = spec.mean_decay();
      break;
  }
  pass->weight_decay = spec.weight_decay();  // 0 unless it is the one that is set
  return learning;
}

}  // namespace kwta
