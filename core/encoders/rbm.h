// Restricted Boltzmann machines of binary units: RbmSpec (proto/kwta/v1/encoder.proto) has the model.
//
// A bundle holds the tensors of core/encoders/tied_encoder.h: "atoms" is W, "bias" is b of the hidden units,
// "decoder_bias" is c of the visible ones. Codes are p(h = 1 | x), reconstructions p(x = 1 | h) with these
// probabilities in place of h.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& RbmKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveRbm(v1::RbmSpec* spec);

// Makes a learner with weights drawn from the training's seed. An update follows the difference of the statistics of
// the data and those of the chains, averaged over each. The visible biases start where the first batch has its mean.
// Errors: INVALID_ARGUMENT if a mean is subtracted from the rows; in Step, if an element is outside 0 .. 1. REQUIRES:
// the spec is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateRbmLearner(const LearnerSetup& setup);

// Returns F(x) = -c'x - sum_j log(1 + exp(W_j x + b_j)) of each row of x[rows, width]: p(x) is exp(-F(x)) up to a
// constant. REQUIRES: `tensors` are a bundle's, and width is that of its atoms.
std::vector<double> RbmFreeEnergy(const TensorMap& tensors, const float* x, int64_t rows);

}  // namespace kwta
