// Everything that the rest of the project needs to know about a kind of encoder. Each kind's file pair defines one
// EncoderKind; encoder_registry lists them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backends/activation.h"
#include "core/encoders/encoder.h"
#include "core/encoders/spec_option.h"

namespace kwta {

// The arguments for a new learner.
struct LearnerSetup {
  const v1::EncoderSpec& encoder;    // fitted to row_shape
  const Shape& row_shape;            // of a preprocessed row
  const v1::TrainingSpec& training;  // resolved
  std::shared_ptr<Backend> backend;
  const std::vector<float>& mean;  // the mean subtracted from the rows, [width], or empty: affects only speed
  // [width], or empty: the rows plus this are zero where the stored rows are. Affects only rounding and speed.
  const std::vector<float>& offset;
};

// Defaults of a job that its spec does not set. docs/results.md, "Defaults", has the measurements behind each.
struct TrainingDefaults {
  bool subtract_mean = false;    // of rows; a layer on another model has no preprocessing of its own
  float learning_rate = 0.001f;  // the largest
  // If not 0, limits the rate to this divided by the largest mean of (u'x)^2 over rows x, as the encoder sees them, in
  // any direction u of length 1. The first atoms all turn to that direction and overshoot at a larger rate.
  float rate_times_energy = 0;
};

// How fine-tuning computes the code of a layer from a = atoms x + bias, the tensors "atoms" and "bias" of its bundle.
struct TunedCode {
  int64_t k = 0;                              // above 0: the code is the k largest a. 0: it is s(a)
  Activation activation = Activation::kReLU;  // s
  // The layer's own regularisation, with which fine-tuning goes on ("k-Sparse Autoencoders", section 4.5):
  // probabilities of dropping an element of its input, and an activity of its code.
  float input_dropout = 0, code_dropout = 0;
  bool scales_inputs = false;  // inputs that are not dropped are divided by 1 - input_dropout
};

// A number of a kind's spec that may make training diverge at a rate that is good otherwise, once it is above a value.
struct StrongSetting {
  const char* field;  // name in the message
  float above;
};

// Plain data; concurrent reads are safe. A function that takes a spec needs one that sets this kind.
struct EncoderKind {
  // The name on the command line: "k-sparse".
  const char* name = "";
  v1::EncoderSpec::KindCase kind_case = v1::EncoderSpec::KIND_NOT_SET;
  // The default of TrainingSpec.optimiser, and whether another may be set.
  v1::Optimiser own_optimiser = v1::OPTIMISER_SGD;
  bool other_optimisers = false;
  // Of jobs that train this kind with such a spec, which may lack what has a default.
  TrainingDefaults (*training_defaults)(const v1::EncoderSpec& spec) = [](const v1::EncoderSpec&) {
    return TrainingDefaults{};
  };
  // True if a model consists of models of other kinds. No job trains such a model as a whole.
  bool of_layers = false;
  // Returns why elements of rows must lie in 0 .. 1, as in "a Boltzmann machine reads probabilities"; null if they need
  // not. No mean can be subtracted from such rows. Null: elements may be any numbers.
  const char* (*unit_interval)(const v1::EncoderSpec& spec) = nullptr;
  // Returns what somebody who trains such a spec should know, empty if nothing. Null: nothing. REQUIRES: spec is
  // resolved.
  std::string (*advice)(const v1::EncoderSpec& spec) = nullptr;
  // The fields of the kind's spec that a command line offers. The first one sets the number of units.
  absl::Span<const SpecOption> options;
  // The fields of the kind's spec, besides its size, that a line about a model says: see EncoderSummary.
  absl::Span<const char* const> traits;
  // Penalties, noise and initial weights of the kind's spec.
  absl::Span<const StrongSetting> strong_settings;

  // Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
  absl::Status (*resolve)(v1::EncoderSpec* spec) = nullptr;
  // Sets unset fields whose defaults differ for a layer on another model. May be null.
  void (*set_layer_defaults)(v1::EncoderSpec* spec) = nullptr;
  // Completes a resolved spec from the data, and checks it against them. May be null.
  absl::Status (*fit)(v1::EncoderSpec* spec, const Shape& row_shape) = nullptr;
  // Returns the shape of a row of dense codes: [units], or [maps, height, width]. [0] if the spec does not say.
  Shape (*code_shape)(const v1::EncoderSpec& spec) = nullptr;
  // Returns how many activities training computes for a row before it drops any. A batch may have kMaxBatchScores of
  // them. Null: training does not hold those of a whole batch. REQUIRES: spec is resolved.
  int64_t (*row_scores)(const v1::EncoderSpec& spec) = nullptr;
  // Returns the activity above which a unit of dense codes counts as active. Null: 0. REQUIRES: spec is resolved.
  float (*active_above)(const v1::EncoderSpec& spec) = nullptr;
  // Returns how a layer of this kind is fine-tuned. Null: core/training/fine_tuning cannot tune this kind. REQUIRES:
  // spec is resolved.
  TunedCode (*tuned_code)(const v1::EncoderSpec& spec) = nullptr;

  // Makes a learner with weights drawn from the training's seed.
  absl::StatusOr<std::unique_ptr<Learner>> (*create_learner)(const LearnerSetup& setup) = nullptr;
  // Makes the encoder of a bundle. Errors: DATA_LOSS if tensors and description do not match.
  absl::StatusOr<std::shared_ptr<const Encoder>> (*create_encoder)(const ModelBundle& bundle,
                                                                   std::shared_ptr<Backend> backend) = nullptr;
};

}  // namespace kwta
