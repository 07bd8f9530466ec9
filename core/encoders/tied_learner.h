// Learners of the encoders of core/encoders/tied_encoder.h whose loss Backend::RegularisedPass has.
//
// Their bundle holds, besides the encoder's tensors, of the rows that training passed last, "activation_fraction",
// "pre_activation_mean" and "pre_activation_variance" [units].
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "core/backends/regularised_args.h"
#include "core/encoders/encoder_kind.h"
#include "core/encoders/parameter_set.h"

namespace kwta {

struct TiedLearning {
  // What all steps share: units, activation and everything that is added to the autoencoder. The learner sets arrays,
  // width, the seeds and first rows of what is random, and the running mean of the sparsity penalty.
  RegularisedPassArgs pass;
  ParameterSet::RowLength row_length;  // that updates keep the atoms to
};

// Makes a learner with weights drawn from the training's seed (Glorot & Bengio's normalised initialisation), trained by
// gradient descent with momentum. Errors: INVALID_ARGUMENT if a sigmoid output meets rows from which a mean is
// subtracted.
absl::StatusOr<std::unique_ptr<Learner>> CreateTiedLearner(const TiedLearning& learning, const LearnerSetup& setup);

}  // namespace kwta
