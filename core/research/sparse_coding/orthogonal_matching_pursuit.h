// Orthogonal matching pursuit: the greedy coder that serves as the yardstick for others.
// Tropp & Gilbert, "Signal recovery from random measurements via orthogonal matching pursuit", 2007, algorithm 3.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

struct MatchingPursuitOptions {
  int64_t k = 25;
  // Stops (converged) once |x - W z| <= tolerance * |x|.
  double tolerance = 1e-6;
};

// Adds one atom per step, up to k: the one whose cosine with the residual is largest in magnitude; ties go to the
// lowest unit. After each step z is the least-squares solution on the chosen atoms. Lengths of atoms do not matter.
// Stops early if no atom reduces the residual. x is [width], finite. Thread-safe.
// Errors: INVALID_ARGUMENT (k outside 1 .. min(units, width), tolerance that is negative or NaN).
absl::StatusOr<SparseSolution> OrthogonalMatchingPursuit(const Atoms& atoms, const float* x,
                                                         const MatchingPursuitOptions& options);

}  // namespace kwta
