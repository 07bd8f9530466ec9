// Dropout autoencoders with tied weights: training drops hidden units, and inputs if asked; encoding uses all units.
// Makhzani & Frey, "k-Sparse Autoencoders", sections 4.4 and 4.5. DropoutSpec (proto/kwta/v1/encoder.proto) has the
// formulas, core/backends/regularised_args.h the gradient.
#pragma once

#include "absl/status/status.h"
#include "core/encoders/encoder_kind.h"
#include "core/encoders/tied_learner.h"

namespace kwta {

// Returns its row in the registry.
const EncoderKind& DropoutKind();

// Fills in defaults and checks ranges. Errors: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ResolveDropout(v1::DropoutSpec* spec);

// What a learner minimises. REQUIRES: spec is resolved.
TiedLearning DropoutLearning(const v1::DropoutSpec& spec);

}  // namespace kwta
