// Orthogonal matching pursuit: the greedy coder that others are compared with.
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

// Adds one atom a step, up to k: the one whose cosine with the residual is largest in magnitude, ties going to the
// lowest unit; after each step z is the least-squares solution on the atoms chosen. Lengths of atoms do not matter.
// x is [width], finite. Stops early if no atom reduces the residual. Thread-safe.
// Errors: INVALID_ARGUMENT (k outside 1 .. min(units, width), tolerance that is negative or NaN).
absl::StatusOr<SparseSolution> OrthogonalMatchingPursuit(const Atoms& atoms, const float* x,
                                                         const MatchingPursuitOptions& options);

}  // namespace kwta
