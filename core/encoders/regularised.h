// Regularised autoencoders with tied weights and a linear decoder: denoising, first-order denoising, contractive,
// marginalised denoising and sparse. Arpit, Zhou, Ngo & Govindaraju, "Why Regularized Auto-Encoders Learn Sparse
// Representation?", 2016, section 2.2. core/backends/regularised_args.h has the losses:
//   h = s(W x + b),  y = W'h + b',  l = |x - y|^2.
#pragma once

#include "absl/status/status.h"
#include "core/encoders/encoder_kind.h"
#include "core/encoders/tied_learner.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& RegularisedKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveRegularised(v1::RegularisedSpec* spec);

// What a learner minimises. REQUIRES: spec is resolved.
TiedLearning RegularisedLearning(const v1::RegularisedSpec& spec);

}  // namespace kwta
