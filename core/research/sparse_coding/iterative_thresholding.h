// Sparse recovery by iterative thresholding with inversion (ITI).
// Makhzani & Frey, "k-Sparse Autoencoders", section 3.1, after Maleki, "Coherence analysis of iterative thresholding
// algorithms", 2009.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

// Which entries count as the largest.
enum class Largest {
  kSigned,     // by value: supp_k of "k-Sparse Autoencoders", for codes that are positive
  kMagnitude,  // by absolute value: for codes of either sign
};

// supp_k: the k largest of `values`, ascending; ties go to the lowest index. REQUIRES: 1 <= k <= values.size(), no NaN.
std::vector<int32_t> LargestEntries(const std::vector<double>& values, int64_t k, Largest largest);

// W'x, [units]: the first step's support estimate is LargestEntries of it (equation (4)).
std::vector<double> Correlations(const Atoms& atoms, const float* x);

struct IterativeThresholdingOptions {
  int64_t k = 25;
  Largest largest = Largest::kSigned;
  int max_iterations = 50;
};

// Starts from z = 0 and repeats
//   support estimation  S = supp_k(z + W'(x - W z))                                  (2)
//   inversion           z_S = (W_S' W_S)^-1 W_S' x, and zero outside S               (3)
// until the support stays the same (converged) or max_iterations are done. A run may not settle if the atoms are
// coherent; it then returns the iterate with the smallest residual. Atoms of S that depend on earlier ones get no
// entry. (2) assumes atoms of about unit length. x is [width], finite. Thread-safe.
// Errors: INVALID_ARGUMENT (k outside 1 .. min(units, width), max_iterations below 1).
absl::StatusOr<SparseSolution> IterativeThresholding(const Atoms& atoms, const float* x,
                                                     const IterativeThresholdingOptions& options);

}  // namespace kwta
