// Regularised autoencoders with tied weights and a linear decoder: denoising, first-order denoising, contractive,
// marginalised denoising and sparse. Arpit, Zhou, Ngo & Govindaraju, "Why Regularized Auto-Encoders Learn Sparse
// Representation?", 2016, section 2.2. core/backends/regularised_args.h has the losses:
//   h = s(W x + b),  y = W'h + b',  l = |x - y|^2.
//
// Its bundle holds f32 tensors: "atoms" [units, width] (W), "bias" [units] (b), "decoder_bias" [width] (b'), those of
// the preprocessing, and, of the rows that training passed last, "activation_fraction", "pre_activation_mean" and
// "pre_activation_variance" [units]. ReLU's codes are sparse, with as many entries in a row as units are above zero.
// All others are dense.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/regularised_args.h"
#include "core/encoders/encoder.h"
#include "core/encoders/encoder_kind.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& RegularisedKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveRegularised(v1::RegularisedSpec* spec);

// Arguments of the backend's operations. REQUIRES of all: spec is resolved.
Activation ActivationOf(const v1::RegularisedSpec& spec);
// The regulariser and the weight decay of a pass. Leaves seed and first row of the corruption, and the running mean of
// the sparsity penalty, to the caller.
void SetRegulariser(const v1::RegularisedSpec& spec, RegularisedPassArgs* pass);

// Makes the encoder of a bundle. Folds the mean m: a = W x + (b - W m) and y = W'h + (b' + m). Errors: DATA_LOSS if
// tensors and description do not match.
absl::StatusOr<std::shared_ptr<const Encoder>> CreateRegularisedEncoder(const ModelBundle& bundle,
                                                                        std::shared_ptr<Backend> backend);

// Makes a learner with weights drawn from `seed`. REQUIRES: spec is resolved.
absl::StatusOr<std::unique_ptr<Learner>> CreateRegularisedLearner(const v1::RegularisedSpec& spec, int64_t input_width,
                                                                  uint64_t seed, std::shared_ptr<Backend> backend);

}  // namespace kwta
