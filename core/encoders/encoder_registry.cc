#include "core/encoders/encoder_registry.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/dropout.h"
#include "core/encoders/k_sparse.h"
#include "core/encoders/rbm.h"
#include "core/encoders/regularised.h"
#include "core/encoders/stack.h"
#include "core/encoders/views_encoder.h"
#include "core/encoders/winner_take_all.h"

namespace kwta {
namespace {

std::string NoKindMessage() {
  return absl::StrCat("encoder names no kind that this program knows; expected one of: ",
                      absl::StrJoin(EncoderKindNames(), ", "));
}

// The message in which a spec of this kind keeps its fields.
const google::protobuf::Message& KindSpec(const EncoderKind& kind, const v1::EncoderSpec& spec) {
  return spec.GetReflection()->GetMessage(spec, spec.GetDescriptor()->FindFieldByNumber(kind.kind_case));
}

// A field as EncoderSummary says it: "contraction 0.1", "sigmoid", "unit length". Empty if it is not set, 0 or false.
std::string TraitWords(const google::protobuf::Message& message, const google::protobuf::FieldDescriptor* field) {
  using Field = google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& values = *message.GetReflection();
  const std::string name = absl::StrReplaceAll(field->name(), {{"_", " "}});
  switch (field->cpp_type()) {
    case Field::CPPTYPE_ENUM: {
      // Without the prefix that all values of the enumeration share: ACTIVATION_SIGMOID.
      const google::protobuf::EnumValueDescriptor& value = *values.GetEnum(message, field);
      const std::string unspecified = value.type()->value(0)->name();
      const size_t prefix = unspecified.size() - std::string("UNSPECIFIED").size();
      if (value.index() == 0) return "";
      return absl::AsciiStrToLower(absl::StrReplaceAll(value.name().substr(prefix), {{"_", " "}}));
    }
    case Field::CPPTYPE_BOOL:
      return values.GetBool(message, field) ? name : "";
    case Field::CPPTYPE_UINT32: {
      const uint32_t value = values.GetUInt32(message, field);
      return value == 0 ? "" : absl::StrCat(name, " ", value);
    }
    default: {
      const float value = values.GetFloat(message, field);
      return value == 0 ? "" : absl::StrCat(name, " ", value);
    }
  }
}

// EncoderKind::unit_interval of the spec; null too if it sets no kind.
const char* WhyInUnitInterval(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindEncoderKind(spec);
  return kind == nullptr || kind->unit_interval == nullptr ? nullptr : kind->unit_interval(spec);
}

}  // namespace

absl::Span<const EncoderKind* const> EncoderKinds() {
  static const EncoderKind* const kinds[] = {
      &KSparseKind(), &WinnerTakeAllKind(), &RegularisedKind(), &DropoutKind(), &RbmKind(), &StackKind(),
  };
  return kinds;
}

const EncoderKind* FindEncoderKind(const v1::EncoderSpec& spec) {
  for (const EncoderKind* kind : EncoderKinds()) {
    if (kind->kind_case == spec.kind_case()) return kind;
  }
  return nullptr;
}

std::string EncoderKindName(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindEncoderKind(spec);
  return kind == nullptr ? "" : kind->name;
}

std::vector<std::string> EncoderKindNames() {
  std::vector<std::string> names;
  for (const EncoderKind* kind : EncoderKinds()) {
    if (!kind->of_layers) names.push_back(kind->name);
  }
  return names;
}

google::protobuf::Message* MutableKindSpec(const EncoderKind& kind, v1::EncoderSpec* spec) {
  return spec->GetReflection()->MutableMessage(spec, spec->GetDescriptor()->FindFieldByNumber(kind.kind_case));
}

std::string EncoderSummary(const v1::EncoderSpec& spec) {
  std::vector<std::string> layers;
  for (int i = 0; i < LayerCount(spec); ++i) {
    const v1::EncoderSpec& layer = LayerSpec(spec, i);
    const EncoderKind* kind = FindEncoderKind(layer);
    if (kind == nullptr) continue;
    std::vector<std::string> words;
    for (const char* trait : kind->traits) {
      const google::protobuf::Message& message = KindSpec(*kind, layer);
      std::string said = TraitWords(message, message.GetDescriptor()->FindFieldByName(trait));
      if (!said.empty()) words.push_back(std::move(said));
    }
    layers.push_back(words.empty() ? kind->name : absl::StrCat(kind->name, " (", absl::StrJoin(words, ", "), ")"));
  }
  return absl::StrJoin(layers, " + ");
}

int64_t UnitCount(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindEncoderKind(spec);
  const Shape shape = kind == nullptr ? Shape() : kind->code_shape(spec);
  return shape.empty() ? 0 : shape.front();
}

Shape CodeShape(const v1::ModelDescription& model) {
  const EncoderKind* kind = FindEncoderKind(model.encoder());
  if (kind == nullptr) return {0};
  Shape shape = kind->code_shape(model.encoder());
  // In a stack, the lowest layer separates views.
  if (SeparatesViews(model.preprocessing()) && !kind->of_layers) {
    shape.front() *= model.preprocessing().input().channels();
  }
  return shape;
}

float ActiveAbove(const v1::EncoderSpec& spec) {
  const v1::EncoderSpec& top = LayerSpec(spec, LayerCount(spec) - 1);
  const EncoderKind* kind = FindEncoderKind(top);
  return kind != nullptr && kind->active_above != nullptr ? kind->active_above(top) : 0;
}

absl::Status CheckSubtractMean(const v1::EncoderSpec& spec, bool subtract_mean) {
  const char* const why = WhyInUnitInterval(spec);
  if (!subtract_mean || why == nullptr) return absl::OkStatus();
  return InvalidField("preprocessing.subtract_mean", "true", absl::StrCat("false: ", why));
}

bool CouldSubtractMean(const v1::EncoderSpec& spec, const v1::PreprocessingSpec& preprocessing) {
  return !spec.has_stack() && !preprocessing.subtract_mean() && WhyInUnitInterval(spec) == nullptr;
}

std::string TrainingAdvice(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindEncoderKind(spec);
  return kind == nullptr || kind->advice == nullptr ? "" : kind->advice(spec);
}

std::vector<std::string> StrongSettings(const v1::EncoderSpec& spec) {
  std::vector<std::string> named;
  const EncoderKind* kind = FindEncoderKind(spec);
  if (kind == nullptr) return named;
  const google::protobuf::Message& message = KindSpec(*kind, spec);
  for (const StrongSetting& setting : kind->strong_settings) {
    const auto* field = message.GetDescriptor()->FindFieldByName(setting.field);
    const float value = message.GetReflection()->GetFloat(message, field);
    if (value > setting.above) {
      named.push_back(absl::StrCat("encoder.", spec.GetDescriptor()->FindFieldByNumber(kind->kind_case)->name(), ".",
                                   setting.field, " from ", value));
    }
  }
  return named;
}

absl::Status ResolveEncoder(v1::EncoderSpec* spec) {
  const EncoderKind* kind = FindEncoderKind(*spec);
  if (kind == nullptr) return absl::InvalidArgumentError(NoKindMessage());
  return kind->resolve(spec);
}

void SetLayerDefaults(v1::EncoderSpec* spec) {
  const EncoderKind* kind = FindEncoderKind(*spec);
  if (kind != nullptr && kind->set_layer_defaults != nullptr) kind->set_layer_defaults(spec);
}

absl::Status ResolveOptimiser(const v1::EncoderSpec& encoder, v1::TrainingSpec* training) {
  const EncoderKind& kind = *FindEncoderKind(encoder);
  if (training->optimiser() == v1::OPTIMISER_UNSPECIFIED) training->set_optimiser(kind.own_optimiser);
  if (!v1::Optimiser_IsValid(training->optimiser())) {
    return InvalidField("training.optimiser", static_cast<int>(training->optimiser()),
                        "OPTIMISER_SGD or OPTIMISER_ADAM");
  }
  if (training->optimiser() != kind.own_optimiser && !kind.other_optimisers) {
    return InvalidField("training.optimiser", v1::Optimiser_Name(training->optimiser()),
                        absl::StrCat(v1::Optimiser_Name(kind.own_optimiser), ", with which ", kind.name,
                                     " encoders are trained, or no value"));
  }
  return absl::OkStatus();
}

int64_t RowScores(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindEncoderKind(spec);
  return kind == nullptr || kind->row_scores == nullptr ? 0 : kind->row_scores(spec);
}

absl::Status FitEncoder(v1::EncoderSpec* spec, const Shape& row_shape) {
  const EncoderKind& kind = *FindEncoderKind(*spec);
  return kind.fit == nullptr ? absl::OkStatus() : kind.fit(spec, row_shape);
}

absl::StatusOr<std::unique_ptr<Learner>> CreateLearner(const v1::EncoderSpec& spec, const Shape& row_shape,
                                                       const v1::TrainingSpec& training,
                                                       std::shared_ptr<Backend> backend, const std::vector<float>& mean,
                                                       const std::vector<float>& offset) {
  KWTA_RETURN_IF_ERROR(CheckSubtractMean(spec, !mean.empty()));
  return FindEncoderKind(spec)->create_learner({spec, row_shape, training, std::move(backend), mean, offset});
}

absl::StatusOr<std::shared_ptr<const Encoder>> CreateEncoder(const ModelBundle& bundle,
                                                             std::shared_ptr<Backend> backend) {
  const EncoderKind* kind = FindEncoderKind(bundle.description.encoder());
  if (kind == nullptr) return absl::DataLossError(absl::StrCat("the model's description: ", NoKindMessage()));
  const bool of_views = SeparatesViews(bundle.description.preprocessing()) && !kind->of_layers;
  if (!of_views) return kind->create_encoder(bundle, std::move(backend));
  KWTA_ASSIGN_OR_RETURN(const ModelBundle of_a_view, ModelOfAView(bundle));
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, kind->create_encoder(of_a_view, std::move(backend)));
  return CreateViewsEncoder(std::move(encoder), bundle.description.preprocessing().input().channels());
}

}  // namespace kwta
