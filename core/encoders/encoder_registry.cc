#include "core/encoders/encoder_registry.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/encoders/k_sparse.h"

namespace kwta {
namespace {

// One kind of encoder.
struct EncoderKind {
  const char* name;
  v1::EncoderSpec::KindCase kind;
  absl::Status (*resolve)(v1::EncoderSpec*);
  absl::StatusOr<std::unique_ptr<Learner>> (*create_learner)(const v1::EncoderSpec&, const Shape&, uint64_t,
                                                             std::shared_ptr<Backend>);
  absl::StatusOr<std::shared_ptr<const Encoder>> (*create_encoder)(const ModelBundle&, std::shared_ptr<Backend>);
};

constexpr EncoderKind kKinds[] = {
    {"k-sparse", v1::EncoderSpec::kKSparse,
     [](v1::EncoderSpec* spec) { return ResolveKSparse(spec->mutable_k_sparse()); },
     [](const v1::EncoderSpec& spec, const Shape& row_shape, uint64_t seed, std::shared_ptr<Backend> backend) {
       return CreateKSparseLearner(spec.k_sparse(), ElementCount(row_shape), seed, std::move(backend));
     },
     CreateKSparseEncoder},
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
  for (const EncoderKind& kind : kKinds) names.push_back(kind.name);
  return names;
}

absl::Status ResolveEncoder(v1::EncoderSpec* spec) {
  const EncoderKind* kind = FindKind(*spec);
  if (kind == nullptr) return absl::InvalidArgumentError(NoKindMessage());
  return kind->resolve(spec);
}

absl::StatusOr<std::unique_ptr<Learner>> CreateLearner(const v1::EncoderSpec& spec, const Shape& row_shape,
                                                       uint64_t seed, std::shared_ptr<Backend> backend) {
  return FindKind(spec)->create_learner(spec, row_shape, seed, std::move(backend));
}

absl::StatusOr<std::shared_ptr<const Encoder>> CreateEncoder(const ModelBundle& bundle,
                                                             std::shared_ptr<Backend> backend) {
  const EncoderKind* kind = FindKind(bundle.description.encoder());
  if (kind == nullptr) return absl::DataLossError(absl::StrCat("the model's description: ", NoKindMessage()));
  return kind->create_encoder(bundle, std::move(backend));
}

}  // namespace kwta
