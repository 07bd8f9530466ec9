#include "core/encoders/dropout.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/tied_encoder.h"

namespace kwta {
namespace {

constexpr uint32_t kMostDropoutUnits = 1u << 20;

template <typename T>
absl::Status InvalidDropout(absl::string_view field, const T& value, absl::string_view expected) {
  return InvalidField(absl::StrCat("encoder.dropout.", field), value, expected);
}

absl::Status CheckShareDropped(absl::string_view field, float value) {
  if (value >= 0 && value < 1) return absl::OkStatus();
  return InvalidDropout(field, value, "0 .. 1, 1 excluded: dropping everything leaves nothing to learn from");
}

constexpr SpecOption kDropoutOptions[] = {
    {"--units", "units", "Hidden units, 1 .. 1048576"},
    {"--activation", "activation", "Function from pre-activations to activities"},
    {"--hidden-dropout", "hidden_dropout", "Probability of dropping a hidden unit, 0 .. 1, 1 excluded"},
    {"--masking-noise", "masking_noise", "Denoising: probability of hiding an element of an input, 0 .. 1, 1 excluded",
     ""},
    {"--visible-dropout", "visible_dropout",
     "Probability of dropping an element of an input, the others scaled up, 0 .. 1, 1 excluded", ""},
    {"--decoder", "decoder", "Linear with the squared error, or sigmoid with the cross-entropy for inputs of 0 .. 1"},
    {"--unit-length", "unit_length", "Keep rows of weights at length 1"},
    {"--max-length", "max_length", "Keep rows of weights at most this long, above 0", ""},
    {"--weight-decay", "weight_decay", "Add half of this times the squared weights to the loss, at least 0", ""},
};

constexpr const char* kDropoutTraits[] = {"activation",  "hidden_dropout", "masking_noise", "visible_dropout",
                                          "unit_length", "max_length",     "weight_decay"};

// More than half of the elements are gone, or the decay is no small part of the gradient.
constexpr StrongSetting kDropoutStrong[] = {
    {"hidden_dropout", 0.5f}, {"masking_noise", 0.5f}, {"visible_dropout", 0.5f}, {"weight_decay", 0.09f}};

}  // namespace

const EncoderKind& DropoutKind() {
  static const EncoderKind kind = [] {
    EncoderKind row;
    row.name = "dropout";
    row.kind_case = v1::EncoderSpec::kDropout;
    row.training_defaults = [](const v1::EncoderSpec& spec) -> TrainingDefaults {
      // A sigmoid decoder reconstructs numbers of 0 .. 1.
      if (spec.dropout().decoder() == v1::DECODER_SIGMOID) return {false, 0.01f, 0.1f};
      // Units that are never silent add up to large reconstructions from the start.
      if (ActivationOf(spec.dropout().activation()) != Activation::kReLU) return {true, 0.002f, 0.05f};
      return {true, 0.02f, 0.25f};
    };
    row.unit_interval = [](const v1::EncoderSpec& spec) {
      return spec.dropout().decoder() == v1::DECODER_SIGMOID ? "a sigmoid decoder reconstructs numbers of 0 .. 1"
                                                             : nullptr;
    };
    row.options = kDropoutOptions;
    row.traits = kDropoutTraits;
    row.strong_settings = kDropoutStrong;
    row.resolve = [](v1::EncoderSpec* spec) { return ResolveDropout(spec->mutable_dropout()); };
    row.code_shape = [](const v1::EncoderSpec& spec) -> Shape { return {spec.dropout().units()}; };
    row.row_scores = [](const v1::EncoderSpec& spec) -> int64_t { return spec.dropout().units(); };
    row.active_above = [](const v1::EncoderSpec& spec) {
      return ActivationThreshold(ActivationOf(spec.dropout().activation()));
    };
    row.tuned_code = [](const v1::EncoderSpec& spec) {
      TunedCode code;
      code.activation = ActivationOf(spec.dropout().activation());
      code.code_dropout = spec.dropout().hidden_dropout();
      code.input_dropout = std::max(spec.dropout().masking_noise(), spec.dropout().visible_dropout());
      code.scales_inputs = spec.dropout().inputs_case() == v1::DropoutSpec::kVisibleDropout;
      return code;
    };
    row.create_learner = [](const LearnerSetup& setup) {
      return CreateTiedLearner(DropoutLearning(setup.encoder.dropout()), setup);
    };
    row.create_encoder = [](const ModelBundle& bundle,
                            std::shared_ptr<Backend> backend) -> absl::StatusOr<std::shared_ptr<const Encoder>> {
      v1::DropoutSpec spec = bundle.description.encoder().dropout();
      KWTA_RETURN_IF_ERROR(InDescription(ResolveDropout(&spec)));
      TiedEncoderForm form{"a dropout autoencoder", spec.units(), ActivationOf(spec.activation())};
      form.sigmoid_output = spec.decoder() == v1::DECODER_SIGMOID;
      const RegularisedPassArgs pass = DropoutLearning(spec).pass;
      form.corruption = pass.corruption;
      form.dropout = pass.dropout;
      return CreateTiedEncoder(form, bundle, std::move(backend));
    };
    return row;
  }();
  return kind;
}

absl::Status ResolveDropout(v1::DropoutSpec* spec) {
  if (!spec->has_units()) spec->set_units(1000);
  if (spec->units() < 1 || spec->units() > kMostDropoutUnits) {
    return InvalidDropout("units", spec->units(), absl::StrCat("1 .. ", kMostDropoutUnits));
  }
  if (spec->activation() == v1::ACTIVATION_UNSPECIFIED) spec->set_activation(v1::ACTIVATION_RELU);
  if (!v1::Activation_IsValid(spec->activation())) {
    return InvalidDropout("activation", static_cast<int>(spec->activation()),
                          "ACTIVATION_RELU, ACTIVATION_SIGMOID or ACTIVATION_SOFTPLUS");
  }
  if (!spec->has_hidden_dropout()) spec->set_hidden_dropout(0.5f);
  KWTA_RETURN_IF_ERROR(CheckShareDropped("hidden_dropout", spec->hidden_dropout()));
  if (spec->inputs_case() == v1::DropoutSpec::INPUTS_NOT_SET) spec->set_masking_noise(0);
  KWTA_RETURN_IF_ERROR(spec->has_visible_dropout() ? CheckShareDropped("visible_dropout", spec->visible_dropout())
                                                   : CheckShareDropped("masking_noise", spec->masking_noise()));
  if (spec->decoder() == v1::DECODER_UNSPECIFIED) spec->set_decoder(v1::DECODER_LINEAR);
  if (!v1::Decoder_IsValid(spec->decoder())) {
    return InvalidDropout("decoder", static_cast<int>(spec->decoder()), "DECODER_LINEAR or DECODER_SIGMOID");
  }
  switch (spec->weights_case()) {
    case v1::DropoutSpec::WEIGHTS_NOT_SET:
      spec->set_unit_length(false);
      return absl::OkStatus();
    case v1::DropoutSpec::kMaxLength:
      if (spec->max_length() > 0 && std::isfinite(spec->max_length())) return absl::OkStatus();
      return InvalidDropout("max_length", spec->max_length(), "a finite number above 0, such as 1");
    case v1::DropoutSpec::kWeightDecay:
      if (spec->weight_decay() >= 0 && std::isfinite(spec->weight_decay())) return absl::OkStatus();
      return InvalidDropout("weight_decay", spec->weight_decay(), "a finite number, at least 0");
    default:
      return absl::OkStatus();
  }
}

TiedLearning DropoutLearning(const v1::DropoutSpec& spec) {
  TiedLearning learning;
  learning.row_length.unit = spec.unit_length();  // false unless it is the one that is set
  learning.row_length.max = spec.max_length();
  RegularisedPassArgs& pass = learning.pass;
  pass.units = spec.units();
  pass.activation = ActivationOf(spec.activation());
  pass.dropout.probability = spec.hidden_dropout();
  pass.corruption.kind =
      spec.inputs_case() == v1::DropoutSpec::kVisibleDropout ? CorruptionKind::kDropout : CorruptionKind::kMasking;
  pass.corruption.amount = std::max(spec.masking_noise(), spec.visible_dropout());  // one of them is set
  pass.sigmoid_output = spec.decoder() == v1::DECODER_SIGMOID;
  pass.weight_decay = spec.weight_decay();
  return learning;
}

}  // namespace kwta
