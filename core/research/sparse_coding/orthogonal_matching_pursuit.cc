#include "core/research/sparse_coding/orthogonal_matching_pursuit.h"

#include <cmath>
#include <vector>

#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/research/sparse_coding/support_least_squares.h"

namespace kwta {

absl::StatusOr<SparseSolution> OrthogonalMatchingPursuit(const Atoms& atoms, const float* x,
                                                         const MatchingPursuitOptions& options) {
  KWTA_RETURN_IF_ERROR(ValidateSparsity(atoms, options.k));
  if (!(options.tolerance >= 0)) return InvalidField("tolerance", options.tolerance, "at least 0");
  const double enough = options.tolerance * options.tolerance * Dot(x, x, atoms.width);
  std::vector<double> lengths(atoms.units);
  for (int64_t h = 0; h < atoms.units; ++h) lengths[h] = std::sqrt(Dot(atoms.atom(h), atoms.atom(h), atoms.width));
  // Chosen atoms, and useless ones: zero, or dependent on chosen atoms.
  std::vector<bool> excluded(atoms.units);
  SupportLeastSquares system(atoms, x);
  std::vector<float> residual(x, x + atoms.width);
  bool converged = Dot(residual.data(), residual.data(), atoms.width) <= enough;
  while (!converged && static_cast<int64_t>(system.units().size()) < options.k) {
    int64_t choice = -1;
    double largest = 0;
    for (int64_t h = 0; h < atoms.units; ++h) {
      if (excluded[h] || lengths[h] == 0) continue;
      const double cosine = std::abs(Dot(atoms.atom(h), residual.data(), atoms.width)) / lengths[h];
      if (cosine <= largest) continue;
      largest = cosine;
      choice = h;
    }
    if (choice < 0) break;
    excluded[choice] = true;
    if (!system.Add(static_cast<int32_t>(choice))) continue;
    residual = system.Residual(system.Coefficients());
    converged = Dot(residual.data(), residual.data(), atoms.width) <= enough;
  }
  SparseSolution solution = SolveOn(system);
  solution.iterations = static_cast<int>(solution.support.size());
  solution.converged = converged;
  return solution;
}

}  // namespace kwta
