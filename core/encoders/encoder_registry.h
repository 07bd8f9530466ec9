// The ONE table of encoder kinds: what the rest of the project needs to know of each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder.h"

namespace kwta {

// Name of the kind that is set, as the command line spells it ("k-sparse"); empty if none is.
std::string EncoderKindName(const v1::EncoderSpec& spec);
// Names of the kinds that a job may train: all but stacks.
std::vector<std::string> EncoderKindNames();

// The shape of a row of dense codes, as a layer on top sees it: [units], or [maps, height, width] of pooled maps, those
// of several views one after another. [0] if the description does not say.
Shape CodeShape(const v1::ModelDescription& model);

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveEncoder(v1::EncoderSpec* spec);

// What a job takes where its spec does not say it. docs/results.md, "Defaults", has the measurements behind each.
struct TrainingDefaults {
  bool subtract_mean;   // of rows; a layer on another model has no preprocessing of its own
  float learning_rate;  // the largest
  // If not 0, the rate is at most this divided by the mean of |x|^2 over rows x as the encoder sees them: such encoders
  // diverge at a rate that is smaller the larger their rows are.
  float rate_times_energy;
};
// Those of the encoder's kind. REQUIRES: encoder is resolved.
TrainingDefaults TrainingDefaultsOf(const v1::EncoderSpec& encoder);

// Sets the optimiser to the encoder's own unless it is set, and checks it. Errors: INVALID_ARGUMENT (an optimiser that
// the encoder is not trained with). REQUIRES: encoder is resolved.
absl::Status ResolveOptimiser(const v1::EncoderSpec& encoder, v1::TrainingSpec* training);

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
