// Training of a tied dictionary by the backend's other operations, each in its turn.
#pragma once

#include "absl/status/status.h"
#include "core/backends/backend.h"

namespace kwta {

// What an atom's stored numbers stand for: [width] each, velocity may be null, and both may be the stored numbers' own.
void BringUpToDate(const TiedParameters& parameters, int64_t unit, float* atom, float* velocity);

// As Backend::TiedStep, on a backend whose memory is the host's. Nothing is put off: atoms that a state from elsewhere
// put off are brought up to date first.
absl::Status EagerTiedStep(Backend& backend, const TiedStepArgs& args);

// As Backend::TiedAtoms, in plain loops.
absl::Status EagerTiedAtoms(const TiedAtomsArgs& args);

}  // namespace kwta
