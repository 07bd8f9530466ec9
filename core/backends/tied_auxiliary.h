// The auxiliary step of a tied dictionary, for backends whose memory is the host's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"

namespace kwta {

// A dictionary of `backend` for one call of AffineTopK; arguments as of Backend::PrepareDictionary.
using PrepareAtoms = std::function<absl::StatusOr<std::unique_ptr<Dictionary>>(const float* atoms, const float* bias,
                                                                               int64_t units, int64_t width)>;

// As Backend::TiedAuxiliaryStep, by operations of `backend` on copies of the atoms named, which are few unless training
// goes badly. What the backend derives from the stored numbers of these units is left as it is.
absl::Status StepAuxiliaryAtoms(Backend& backend, const TiedAuxiliaryStepArgs& args, const PrepareAtoms& prepare);

}  // namespace kwta
