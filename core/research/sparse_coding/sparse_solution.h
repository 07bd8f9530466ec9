// Input and output of sparse coders. A coder approximates x by W z with a fixed dictionary W and few non-zeros in z.
// "k-Sparse Autoencoders", equation (1).
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace kwta {

// A fixed dictionary that somebody else owns. Row h is atom w_h: column h of the paper's W.
struct Atoms {
  const float* values = nullptr;  // [units, width], row-major, finite
  int64_t units = 0;
  int64_t width = 0;

  const float* atom(int64_t h) const { return values + h * width; }
};

struct SparseSolution {
  std::vector<int32_t> support;  // Units whose entries may be non-zero, ascending.
  std::vector<double> values;    // z on the support.
  double squared_residual = 0;   // |x - W z|^2
  int iterations = 0;
  bool converged = false;  // The coder stopped of its own accord, not at a limit.
};

// <a, b> of `width` elements in binary64.
double Dot(const float* a, const float* b, int64_t width);

// Errors: INVALID_ARGUMENT unless there are atoms and 1 <= k <= min(units, width).
absl::Status ValidateSparsity(const Atoms& atoms, int64_t k);

}  // namespace kwta
