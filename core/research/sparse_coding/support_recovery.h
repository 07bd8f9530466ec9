// A numerical check of theorem 3.1 of "k-Sparse Autoencoders": if x = W z with unit-length atoms, z with k positive
// entries z_1 >= ... >= z_k, and k mu <= z_k / (2 z_1), then supp_k(W'x) is the support of z.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/base/thread_pool.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

struct SupportRecoveryOptions {
  int64_t k = 5;
  // z_k / z_1 of the planted codes, above 0 and at most 1. The entries are 1, this, and uniform in between.
  double smallest_to_largest = 1;
  int64_t trials = 100;
  uint64_t seed = 1;
};

struct SupportRecovery {
  double coherence = 0;  // mu
  // Both sides of the theorem's condition, k mu <= z_k / (2 z_1).
  double condition_left = 0, condition_right = 0;
  bool condition_holds = false;
  // Number of trials in which each method found the planted support exactly:
  int64_t by_one_step = 0;  // supp_k(W'x), what the encoder does (equation (4))
  int64_t by_iterative_thresholding = 0;
  int64_t by_matching_pursuit = 0;
};

// Plants codes with random supports, computes x = W z, and counts how often each coder finds the support. Scales atoms
// to unit length. The result is a function of the arguments, whatever the number of threads. Thread-safe.
// Errors: INVALID_ARGUMENT (k outside 1 .. min(units, width), an atom that is zero, options out of range).
absl::StatusOr<SupportRecovery> MeasureSupportRecovery(const Atoms& atoms, const SupportRecoveryOptions& options,
                                                       ThreadPool& pool);

}  // namespace kwta
