#include "core/training/fine_tuning/fine_tuning_spec.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/preprocessing/preprocessing_spec.h"

namespace kwta {
namespace {

constexpr float kLearningRate = 0.02f;
constexpr uint32_t kMaxClassifierEpochs = 10'000;
constexpr uint32_t kMaxShift = 65'535;

// Resolves the fields of updates, which TrainingSpec also has for encoders.
absl::Status ResolveUpdates(v1::TrainingSpec* training) {
  if (training->optimiser() != v1::OPTIMISER_UNSPECIFIED && training->optimiser() != v1::OPTIMISER_SGD) {
    return InvalidField("training.optimiser", v1::Optimiser_Name(training->optimiser()),
                        "OPTIMISER_SGD, with which models are fine-tuned, or no value");
  }
  training->set_optimiser(v1::OPTIMISER_SGD);
  if (!training->has_learning_rate()) training->set_learning_rate(kLearningRate);
  if (training->final_learning_rate() != 0) {
    return InvalidField("training.final_learning_rate", training->final_learning_rate(),
                        "0, to which the rate of fine-tuning falls, or no value");
  }
  training->set_final_learning_rate(0);
  return absl::OkStatus();
}

}  // namespace

absl::Status ResolveFineTuning(v1::JobSpec* spec) {
  if (!spec->has_base()) {
    return absl::InvalidArgumentError(
        "fine_tuning is set without base: it goes on from a trained model; name it in base.model");
  }
  if (spec->encoder().kind_case() != v1::EncoderSpec::KIND_NOT_SET) {
    return absl::InvalidArgumentError(
        absl::StrCat("encoder is set together with fine_tuning, which adds no layer to the base model '",
                     spec->base().model(), "'; leave encoder out"));
  }
  spec->clear_encoder();
  v1::FineTuningSpec& tuning = *spec->mutable_fine_tuning();
  if (!tuning.has_classifier_epochs()) tuning.set_classifier_epochs(20);
  if (!tuning.has_classifier_rate()) tuning.set_classifier_rate(0.1f);
  if (!tuning.has_encoder_l2()) tuning.set_encoder_l2(0);
  if (!tuning.has_classifier_l2()) tuning.set_classifier_l2(1e-5f);
  // The defaults of input_dropout and code_dropout depend on the model.
  if (!tuning.has_adversarial_length()) tuning.set_adversarial_length(0);
  if (!tuning.has_max_shift()) tuning.set_max_shift(0);
  if (tuning.classifier_epochs() < 1 || tuning.classifier_epochs() > kMaxClassifierEpochs) {
    return InvalidField("fine_tuning.classifier_epochs", tuning.classifier_epochs(),
                        absl::StrCat("1 .. ", kMaxClassifierEpochs));
  }
  const auto is_share = [](float p) { return p >= 0 && p < 1; };
  const struct {
    const char* field;
    float value;
    bool valid;
    const char* range;
  } ranges[] = {
      {"classifier_rate", tuning.classifier_rate(), tuning.classifier_rate() > 0, "above 0, such as 0.1"},
      {"encoder_l2", tuning.encoder_l2(), tuning.encoder_l2() >= 0, "at least 0"},
      {"classifier_l2", tuning.classifier_l2(), tuning.classifier_l2() >= 0, "at least 0, such as 1e-5"},
      {"input_dropout", tuning.input_dropout(), is_share(tuning.input_dropout()), "at least 0 and below 1"},
      {"code_dropout", tuning.code_dropout(), is_share(tuning.code_dropout()), "at least 0 and below 1, such as 0.2"},
      {"adversarial_length", tuning.adversarial_length(), tuning.adversarial_length() >= 0, "at least 0, such as 0.7"},
  };
  for (const auto& [field, value, valid, range] : ranges) {
    if (!valid || !std::isfinite(value)) return InvalidField(absl::StrCat("fine_tuning.", field), value, range);
  }
  if (tuning.max_shift() > kMaxShift) {
    return InvalidField("fine_tuning.max_shift", tuning.max_shift(),
                        absl::StrCat("0 .. ", kMaxShift, ", and less than the images' smaller side"));
  }
  return ResolveUpdates(spec->mutable_training());
}

absl::Status CheckCanBeTuned(const v1::ModelDescription& model) {
  if (SeparatesViews(model.preprocessing())) {
    return absl::InvalidArgumentError(
        "the model encodes views by themselves (preprocessing step separate_views); it cannot be fine-tuned");
  }
  for (int i = 0; i < LayerCount(model.encoder()); ++i) {
    const v1::EncoderSpec& layer = LayerSpec(model.encoder(), i);
    const EncoderKind* kind = FindEncoderKind(layer);
    if (kind != nullptr && kind->tuned_code != nullptr) continue;
    std::vector<const char*> tuned;
    for (const EncoderKind* each : EncoderKinds()) {
      if (each->tuned_code != nullptr) tuned.push_back(each->name);
    }
    return absl::InvalidArgumentError(absl::StrCat("layer ", i, " of the model is ", EncoderKindName(layer), "; only ",
                                                   absl::StrJoin(tuned, ", "), " layers can be fine-tuned"));
  }
  return absl::OkStatus();
}

}  // namespace kwta
