// The one list of encoder kinds, and operations on a spec of any kind.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns every kind, the command line's default first.
absl::Span<const EncoderKind* const> EncoderKinds();
// Returns the kind that the spec sets; null if none.
const EncoderKind* FindEncoderKind(const v1::EncoderSpec& spec);

// Returns the name of that kind; empty if none is set.
std::string EncoderKindName(const v1::EncoderSpec& spec);
// Returns the names of the kinds that a job may train: all but stacks.
std::vector<std::string> EncoderKindNames();
// Makes `spec` one of this kind and returns the kind's message in it, which lives as long as the spec.
google::protobuf::Message* MutableKindSpec(const EncoderKind& kind, v1::EncoderSpec* spec);

// Returns the shape of a row of dense codes, as a layer on top sees it: [units], or [maps, height, width] of pooled
// maps, with the maps of several views one after another. [0] if the description does not say.
Shape CodeShape(const v1::ModelDescription& model);

// Returns a few words about the model of a resolved spec, layer by layer: "k-sparse (k 25) + regularised (sigmoid,
// contraction 0.1)". Settings of 0 are left out. Empty if the spec sets no kind.
std::string EncoderSummary(const v1::EncoderSpec& spec);

// Returns how many units, or maps, training counts; 0 if the spec does not say.
int64_t UnitCount(const v1::EncoderSpec& spec);

// Returns the magnitude above which a unit of a dense code counts as active, as training counted it: that of the top
// layer. REQUIRES: spec is resolved.
float ActiveAbove(const v1::EncoderSpec& spec);

// Errors: INVALID_ARGUMENT if the mean is subtracted from rows whose elements must lie in 0 .. 1. A spec without a kind
// is no error.
absl::Status CheckSubtractMean(const v1::EncoderSpec& spec, bool subtract_mean);

// Returns whether subtracting the mean would be something to try: it is not subtracted, and could be. A stack takes its
// rows as the layers below make them.
bool CouldSubtractMean(const v1::EncoderSpec& spec, const v1::PreprocessingSpec& preprocessing);

// Returns what somebody who trains the spec should know; empty if nothing. REQUIRES: spec is resolved.
std::string TrainingAdvice(const v1::EncoderSpec& spec);

// Names the settings of the spec that may make training diverge at a rate that is good otherwise, with their values, as
// in "encoder.regularised.contraction from 10"; empty if there are none. REQUIRES: spec is resolved.
std::vector<std::string> StrongSettings(const v1::EncoderSpec& spec);

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveEncoder(v1::EncoderSpec* spec);

// Sets the defaults that differ for a layer on another model. Call it before ResolveEncoder. Does not change a spec
// without a kind.
void SetLayerDefaults(v1::EncoderSpec* spec);

// If the optimiser is unset, sets the encoder's own. Errors: INVALID_ARGUMENT (an optimiser that cannot train the
// encoder). REQUIRES: encoder is resolved.
absl::Status ResolveOptimiser(const v1::EncoderSpec& encoder, v1::TrainingSpec* training);

// Returns how many scores per row training computes and holds for a whole batch; 0 if it holds none, or if no kind is
// set. REQUIRES: spec is resolved.
int64_t RowScores(const v1::EncoderSpec& spec);

// Completes a resolved spec from the data, and checks it against them. The data are rows of `row_shape`, such as [784],
// [28, 28] or [3, 32, 32]. Errors: INVALID_ARGUMENT (rows that the encoder cannot read, or that do not fit its spec).
absl::Status FitEncoder(v1::EncoderSpec* spec, const Shape& row_shape);

// Makes a learner for rows of `row_shape`, with weights drawn from the training's seed. `mean` is the mean subtracted
// from the rows, or empty, and `offset` what makes them zero where the stored rows are; they affect only rounding and
// speed. REQUIRES: spec is fitted to row_shape, training is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateLearner(const v1::EncoderSpec& spec, const Shape& row_shape,
                                                       const v1::TrainingSpec& training,
                                                       std::shared_ptr<Backend> backend,
                                                       const std::vector<float>& mean = {},
                                                       const std::vector<float>& offset = {});

// Makes an encoder from a bundle. Errors: DATA_LOSS if tensors and description do not match.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateEncoder(const ModelBundle& bundle,
                                                             std::shared_ptr<Backend> backend);

}  // namespace kwta
