// Training of a tied dictionary as the operations that it is made of, each in its turn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/host_backend.h"

namespace kwta {

// As Backend::TiedStep. Nothing is put off: atoms that a state from elsewhere put off are brought up to date first.
absl::Status ComposeTiedStep(HostBackend& backend, const TiedStepArgs& args);

// A dictionary of `backend` for one call of AffineTopK; arguments as of Backend::PrepareDictionary.
using PrepareAtoms = std::function<absl::StatusOr<std::unique_ptr<Dictionary>>(const float* atoms, const float* bias,
                                                                               int64_t units, int64_t width)>;

// As Backend::TiedAuxiliaryStep, on copies of the dead atoms, which are few unless training goes badly. What the
// backend derives from their stored numbers is left as it is. Returns the dead units, ascending; some may be as they
// were.
absl::StatusOr<std::vector<int32_t>> ComposeTiedAuxiliaryStep(HostBackend& backend, const TiedAuxiliaryStepArgs& args,
                                                              const PrepareAtoms& prepare);

// As Backend::TiedAtoms, in plain loops.
void ComposeTiedAtoms(const TiedAtomsArgs& args);

// What TiedStep adds to its counts for one unit, which is in the codes of `active_rows` of its rows.
inline void CountActiveRows(const TiedStepArgs& args, int64_t unit, int32_t active_rows) {
  args.active_rows[unit] += active_rows;
  if (args.idle_rows != nullptr) args.idle_rows[unit] = active_rows > 0 ? 0 : args.idle_rows[unit] + args.rows;
}

}  // namespace kwta
