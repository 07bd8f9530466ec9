// What the rest of the project needs to know of a kind of encoder. Each kind's file pair defines one; encoder_registry
// lists them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/encoders/encoder.h"
#include "core/encoders/spec_option.h"

namespace kwta {

// What a learner is made for.
struct LearnerSetup {
  const v1::EncoderSpec& encoder;    // fitted to row_shape
  const Shape& row_shape;            // of a preprocessed row
  const v1::TrainingSpec& training;  // resolved
  std::shared_ptr<Backend> backend;
  const std::vector<float>& mean;  // what was subtracted from the rows, [width], or empty: it matters to speed alone
};

// What a job takes where its spec does not say it. docs/results.md, "Defaults", has the measurements behind each.
struct TrainingDefaults {
  bool subtract_mean = false;    // of rows; a layer on another model has no preprocessing of its own
  float learning_rate = 0.001f;  // the largest
  // If not 0, the rate is at most this divided by the largest mean of (u'x)^2 over rows x, as the encoder sees them, in
  // any direction u of length 1: the first atoms all turn there, and at a larger rate they overshoot.
  float rate_times_energy = 0;
};

// Plain data; concurrent reads are safe. A function that takes a spec takes one in which this kind is set.
struct EncoderKind {
  // As the command line spells it: "k-sparse".
  const char* name = "";
  v1::EncoderSpec::KindCase kind_case = v1::EncoderSpec::KIND_NOT_SET;
  // The optimiser that TrainingSpec.optimiser is taken as if it is not set, and whether it may be another.
  v1::Optimiser own_optimiser = v1::OPTIMISER_SGD;
  bool other_optimisers = false;
  TrainingDefaults training_defaults;
  // True if a model consists of models of other kinds. No job trains it as a whole.
  bool of_layers = false;
  // The fields of the kind's spec that a command line offers, the one that says how many units there are first.
  absl::Span<const SpecOption> options;

  // Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
  absl::Status (*resolve)(v1::EncoderSpec* spec) = nullptr;
  // Sets those fields, of the ones that are not set, whose defaults differ for a layer on another model. May be null.
  void (*set_layer_defaults)(v1::EncoderSpec* spec) = nullptr;
  // Completes a resolved spec with what only the data say, and checks it against them. May be null.
  absl::Status (*fit)(v1::EncoderSpec* spec, const Shape& row_shape) = nullptr;
  // Shape of a row of dense codes: [units], or [maps, height, width]. [0] if the spec does not say.
  Shape (*code_shape)(const v1::EncoderSpec& spec) = nullptr;
  // Activities that training computes for a row before it drops any, of which a batch may have kMaxBatchScores. Null:
  // training does not hold those of a whole batch. The spec is resolved.
  int64_t (*row_scores)(const v1::EncoderSpec& spec) = nullptr;
  // Activities that a layer keeps while it is fine-tuned: its codes must be the k largest of "atoms" times the input
  // plus "bias", tensors of its bundle, or core/training/fine_tuning cannot tune it. Null: it cannot. The spec is
  // resolved.
  int64_t (*tuned_k)(const v1::EncoderSpec& spec) = nullptr;

  // A learner, its weights drawn from the training's seed.
  absl::StatusOr<std::unique_ptr<Learner>> (*create_learner)(const LearnerSetup& setup) = nullptr;
  // The encoder of a bundle. Errors: DATA_LOSS if tensors and description do not fit each other.
  absl::StatusOr<std::shared_ptr<const Encoder>> (*create_encoder)(const ModelBundle& bundle,
                                                                   std::shared_ptr<Backend> backend) = nullptr;
};

}  // namespace kwta
