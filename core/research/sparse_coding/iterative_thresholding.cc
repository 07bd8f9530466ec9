#include "core/research/sparse_coding/iterative_thresholding.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/invalid_field.h"
#include "core/base/status_macros.h"
#include "core/research/sparse_coding/support_least_squares.h"

namespace kwta {

std::vector<int32_t> LargestEntries(const std::vector<double>& values, int64_t k, Largest largest) {
  std::vector<int32_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](int32_t h) { return largest == Largest::kMagnitude ? std::abs(values[h]) : values[h]; };
  std::nth_element(order.begin(), order.begin() + (k - 1), order.end(), [&](int32_t a, int32_t b) {
    const double key_a = key(a), key_b = key(b);
    return key_a != key_b ? key_a > key_b : a < b;
  });
  order.resize(k);
  std::sort(order.begin(), order.end());
  return order;
}

std::vector<double> Correlations(const Atoms& atoms, const float* x) {
  std::vector<double> correlations(atoms.units);
  for (int64_t h = 0; h < atoms.units; ++h) correlations[h] = Dot(atoms.atom(h), x, atoms.width);
  return correlations;
}

absl::StatusOr<SparseSolution> IterativeThresholding(const Atoms& atoms, const float* x,
                                                     const IterativeThresholdingOptions& options) {
  KWTA_RETURN_IF_ERROR(ValidateSparsity(atoms, options.k));
  if (options.max_iterations < 1) return InvalidField("max_iterations", options.max_iterations, "at least 1");
  SparseSolution best;
  std::vector<int32_t> support = LargestEntries(Correlations(atoms, x), options.k, options.largest);  // z = 0
  for (int iteration = 1;; ++iteration) {
    SupportLeastSquares system(atoms, x);
    for (const int32_t unit : support) system.Add(unit);
    SparseSolution current = SolveOn(system);
    current.iterations = iteration;
    const std::vector<float> residual = system.Residual(system.Coefficients());
    std::vector<double> estimate = Correlations(atoms, residual.data());
    for (size_t i = 0; i < current.support.size(); ++i) estimate[current.support[i]] += current.values[i];
    std::vector<int32_t> next = LargestEntries(estimate, options.k, options.largest);
    if (next == support) {
      current.converged = true;
      return current;
    }
    if (iteration == 1 || current.squared_residual < best.squared_residual) best = std::move(current);
    if (iteration == options.max_iterations) {
      best.iterations = iteration;
      return best;
    }
    support = std::move(next);
  }
}

}  // namespace kwta
