// Training of a tied dictionary, composed of separate operations that run one after another.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/host_backend.h"

namespace kwta {

// Implements Backend::TiedStep. It defers nothing, and first brings atoms up to date that a state from elsewhere
// deferred.
absl::Status ComposeTiedStep(HostBackend& backend, const TiedStepArgs& args);

// Prepares a dictionary of `backend` for one call of AffineTopK. The arguments are those of Backend::PrepareDictionary.
using PrepareAtoms = std::function<absl::StatusOr<std::unique_ptr<Dictionary>>(const float* atoms, const float* bias,
                                                                               int64_t units, int64_t width)>;

// Implements Backend::TiedAuxiliaryStep on copies of the dead atoms, which are few unless training goes badly. It does
// not refresh what the backend derives from their stored numbers. Returns the dead units, ascending; some may be
// unchanged.
absl::StatusOr<std::vector<int32_t>> ComposeTiedAuxiliaryStep(HostBackend& backend, const TiedAuxiliaryStepArgs& args,
                                                              const PrepareAtoms& prepare);

// Implements Backend::TiedAtoms in plain loops.
void ComposeTiedAtoms(const TiedAtomsArgs& args);

// Updates TiedStep's counts for one unit, which is in the codes of `active_rows` of the rows.
inline void CountActiveRows(const TiedStepArgs& args, int64_t unit, int32_t active_rows) {
  args.active_rows[unit] += active_rows;
  if (args.idle_rows != nullptr) args.idle_rows[unit] = active_rows > 0 ? 0 : args.idle_rows[unit] + args.rows;
}

}  // namespace kwta
