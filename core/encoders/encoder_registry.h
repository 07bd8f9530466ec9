// The ONE list of encoder kinds, and what can be done with a spec whatever its kind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Every kind, the command line's default first.
absl::Span<const EncoderKind* const> EncoderKinds();
// The kind that is set; null if none is.
const EncoderKind* FindEncoderKind(const v1::EncoderSpec& spec);

// Its name; empty if none is set.
std::string EncoderKindName(const v1::EncoderSpec& spec);
// Names of the kinds that a job may train: all but stacks.
std::vector<std::string> EncoderKindNames();
// The message of a kind inside a spec, which becomes of that kind. It lives as long as the spec.
google::protobuf::Message* MutableKindSpec(const EncoderKind& kind, v1::EncoderSpec* spec);

// The shape of a row of dense codes, as a layer on top sees it: [units], or [maps, height, width] of pooled maps, those
// of several views one after another. [0] if the description does not say.
Shape CodeShape(const v1::ModelDescription& model);

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveEncoder(v1::EncoderSpec* spec);

// Sets the defaults that differ for a layer on another model, to be called before ResolveEncoder. A spec without a kind
// stays as it is.
void SetLayerDefaults(v1::EncoderSpec* spec);

// Sets the optimiser to the encoder's own unless it is set, and checks it. Errors: INVALID_ARGUMENT (an optimiser that
// the encoder is not trained with). REQUIRES: encoder is resolved.
absl::Status ResolveOptimiser(const v1::EncoderSpec& encoder, v1::TrainingSpec* training);

// The scores that training computes for a row of a batch and holds until all are there; 0 if it does not, or if no kind
// is set. REQUIRES: spec is resolved.
int64_t RowScores(const v1::EncoderSpec& spec);

// Completes a resolved spec with what only the data say, and checks it against them: rows of `row_shape`, such as
// [784], [28, 28] or [3, 32, 32]. Errors: INVALID_ARGUMENT (rows that the encoder cannot read, or that do not fit its
// spec).
absl::Status FitEncoder(v1::EncoderSpec* spec, const Shape& row_shape);

// A learner for rows of `row_shape`, its weights initialised from the training's seed. `mean` is what was subtracted
// from the rows, or empty: it matters to speed alone. REQUIRES: spec is fitted to row_shape, training is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateLearner(const v1::EncoderSpec& spec, const Shape& row_shape,
                                                       const v1::TrainingSpec& training,
                                                       std::shared_ptr<Backend> backend,
                                                       const std::vector<float>& mean = {});

// An encoder from a bundle. Errors: DATA_LOSS if tensors and description do not fit each other.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateEncoder(const ModelBundle& bundle,
                                                             std::shared_ptr<Backend> backend);

}  // namespace kwta
