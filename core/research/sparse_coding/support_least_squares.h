// Least squares on a growing set of atoms.
#pragma once

#include <cstdint>
#include <vector>

#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

// Minimises |x - W_S z|^2 over z, z = (W_S' W_S)^-1 W_S' x, equation (3) of "k-Sparse Autoencoders", for a set S of
// atoms that grows one by one. A Cholesky factor of W_S' W_S grows with it. Works in binary64. Not thread-safe; atoms
// and x must outlive it.
class SupportLeastSquares {
 public:
  // x is [atoms.width].
  SupportLeastSquares(const Atoms& atoms, const float* x) : atoms_(atoms), x_(x) {}

  // Adds an atom to S. If the atom is a linear combination of those in S to within rounding, it could not reduce the
  // residual: Add then returns false and S does not change. REQUIRES: the unit is not in S.
  bool Add(int32_t unit);

  const std::vector<int32_t>& units() const { return units_; }
  // z, in the order of units().
  std::vector<double> Coefficients() const;
  // x - W_S z, [width].
  std::vector<float> Residual(const std::vector<double>& coefficients) const;

 private:
  const Atoms atoms_;
  const float* x_;
  std::vector<int32_t> units_;
  std::vector<std::vector<double>> factor_;  // lower triangle L with L L' = W_S' W_S, row by row
  std::vector<double> projected_;            // L^-1 W_S' x
};

// The solution on S in the form that sparse coders return: support ascending, residual measured.
SparseSolution SolveOn(const SupportLeastSquares& system);

}  // namespace kwta
