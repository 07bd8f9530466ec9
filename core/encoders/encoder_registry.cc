#include "core/encoders/encoder_registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/encoders/k_sparse.h"
#include "core/encoders/stack.h"
#include "core/encoders/views_encoder.h"
#include "core/encoders/winner_take_all.h"

namespace kwta {
namespace {

// One kind of encoder.
struct EncoderKind {
  const char* name;
  v1::EncoderSpec::KindCase kind;
  v1::Optimiser own_optimiser;
  bool other_optimisers;
  TrainingDefaults defaults;
  absl::Status (*resolve)(v1::EncoderSpec*);
  absl::Status (*fit)(v1::EncoderSpec*, const Shape&);
  absl::StatusOr<std::unique_ptr<Learner>> (*create_learner)(const v1::EncoderSpec&, const Shape&,
                                                             const v1::TrainingSpec&, std::shared_ptr<Backend>,
                                                             const std::vector<float>& mean);
  absl::StatusOr<std::shared_ptr<const Encoder>> (*create_encoder)(const ModelBundle&, std::shared_ptr<Backend>);
};

constexpr EncoderKind kKinds[] = {
    {"k-sparse",
     v1::EncoderSpec::kKSparse,
     v1::OPTIMISER_SGD,
     false,
     {true, 0.01f, 0.75f},
     [](v1::EncoderSpec* spec) { return ResolveKSparse(spec->mutable_k_sparse()); },
     [](v1::EncoderSpec*, const Shape&) { return absl::OkStatus(); },
     [](const v1::EncoderSpec& spec, const Shape& row_shape, const v1::TrainingSpec& training,
        std::shared_ptr<Backend> backend, const std::vector<float>& mean) {
       return CreateKSparseLearner(spec.k_sparse(), ElementCount(row_shape), training.seed(), std::move(backend), mean);
     },
     CreateKSparseEncoder},
    {"winner-take-all",
     v1::EncoderSpec::kWinnerTakeAll,
     v1::OPTIMISER_ADAM,
     true,
     {false, 0.001f, 0},
     [](v1::EncoderSpec* spec) { return ResolveWinnerTakeAll(spec->mutable_winner_take_all()); },
     [](v1::EncoderSpec* spec, const Shape& row_shape) {
       return FitWinnerTakeAll(spec->mutable_winner_take_all(), row_shape);
     },
     [](const v1::EncoderSpec& spec, const Shape&, const v1::TrainingSpec& training, std::shared_ptr<Backend> backend,
        const std::vector<float>&) {
       return CreateWinnerTakeAllLearner(spec.winner_take_all(), training.seed(), training.optimiser(),
                                         std::move(backend));
     },
     CreateWinnerTakeAllEncoder},
    {"stack",
     v1::EncoderSpec::kStack,
     v1::OPTIMISER_UNSPECIFIED,
     true,
     {},
     [](v1::EncoderSpec*) { return RefuseStack(); },
     [](v1::EncoderSpec*, const Shape&) { return RefuseStack(); },
     [](const v1::EncoderSpec&, const Shape&, const v1::TrainingSpec&,
        std::shared_ptr<Backend>,  // NOLINT(performance-unnecessary-value-param): as the other kinds take it
        const std::vector<float>&) -> absl::StatusOr<std::unique_ptr<Learner>> { return RefuseStack(); },
     CreateStackEncoder},
};

const EncoderKind* FindKind(const v1::EncoderSpec& spec) {
  for (const EncoderKind& kind : kKinds) {
    if (kind.kind == spec.kind_case()) return &kind;
  }
  return nullptr;
}

std::string NoKindMessage() {
  return absl::StrCat("encoder names no kind that this program knows; expected one of: ",
                      absl::StrJoin(EncoderKindNames(), ", "));
}

}  // namespace

std::string EncoderKindName(const v1::EncoderSpec& spec) {
  const EncoderKind* kind = FindKind(spec);
  return kind == nullptr ? "" : kind->name;
}

std::vector<std::string> EncoderKindNames() {
  std::vector<std::string> names;
  for (const EncoderKind& kind : kKinds) {
    if (kind.kind != v1::EncoderSpec::kStack) names.push_back(kind.name);
  }
  return names;
}

Shape CodeShape(const v1::ModelDescription& model) {
  const v1::EncoderSpec& spec = model.encoder();
  const bool separates_views = SeparatesViews(model.preprocessing());
  const int64_t views = separates_views ? model.preprocessing().input().channels() : 1;
  switch (spec.kind_case()) {
    case v1::EncoderSpec::kKSparse:
      return {views * spec.k_sparse().units()};
    case v1::EncoderSpec::kWinnerTakeAll: {
      v1::WinnerTakeAllSpec maps = spec.winner_take_all();
      if (!maps.has_input() || !ResolveWinnerTakeAll(&maps).ok()) return {0};
      Shape pooled = PooledShape(maps);
      pooled.front() *= views;
      return pooled;
    }
    case v1::EncoderSpec::kStack: {
      v1::ModelDescription top;  // the preprocessing is that of the lowest layer
      if (spec.stack().layers_size() > 0) *top.mutable_encoder() = *spec.stack().layers().rbegin();
      return CodeShape(top);
    }
    case v1::EncoderSpec::KIND_NOT_SET:
      break;
  }
  return {0};
}

absl::Status ResolveEncoder(v1::EncoderSpec* spec) {
  const EncoderKind* kind = FindKind(*spec);
  if (kind == nullptr) return absl::InvalidArgumentError(NoKindMessage());
  return kind->resolve(spec);
}

TrainingDefaults TrainingDefaultsOf(const v1::EncoderSpec& encoder) { return FindKind(encoder)->defaults; }

absl::Status ResolveOptimiser(const v1::EncoderSpec& encoder, v1::TrainingSpec* training) {
  const EncoderKind& kind = *FindKind(encoder);
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

absl::Status FitEncoder(v1::EncoderSpec* spec, const Shape& row_shape) { return FindKind(*spec)->fit(spec, row_shape); }

absl::StatusOr<std::unique_ptr<Learner>> CreateLearner(const v1::EncoderSpec& spec, const Shape& row_shape,
                                                       const v1::TrainingSpec& training,
                                                       std::shared_ptr<Backend> backend,
                                                       const std::vector<float>& mean) {
  return FindKind(spec)->create_learner(spec, row_shape, training, std::move(backend), mean);
}

absl::StatusOr<std::shared_ptr<const Encoder>> CreateEncoder(const ModelBundle& bundle,
                                                             std::shared_ptr<Backend> backend) {
  const EncoderKind* kind = FindKind(bundle.description.encoder());
  if (kind == nullptr) return absl::DataLossError(absl::StrCat("the model's description: ", NoKindMessage()));
  // Of a stack, the lowest layer separates views.
  const bool separates_views = SeparatesViews(bundle.description.preprocessing());
  if (!separates_views || kind->kind == v1::EncoderSpec::kStack)
    return kind->create_encoder(bundle, std::move(backend));
  KWTA_ASSIGN_OR_RETURN(const ModelBundle of_a_view, ModelOfAView(bundle));
  KWTA_ASSIGN_OR_RETURN(std::shared_ptr<const Encoder> encoder, kind->create_encoder(of_a_view, std::move(backend)));
  return CreateViewsEncoder(std::move(encoder), bundle.description.preprocessing().input().channels());
}

}  // namespace kwta
