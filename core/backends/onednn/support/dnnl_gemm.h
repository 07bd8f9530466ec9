// Matrix products by oneDNN, in binary32.
#pragma once

#include <cstdint>

#include "absl/status/status.h"

namespace kwta::onednn::support {

// Row-major operands. A leading dimension is the distance between two rows, in elements.
struct DnnlGemmArgs {
  const float* a = nullptr;  // [m, k], or [k, m] if transpose_a
  int64_t lda = 0;
  bool transpose_a = false;
  const float* b = nullptr;  // [k, n], or [n, k] if transpose_b
  int64_t ldb = 0;
  bool transpose_b = false;
  float* c = nullptr;  // out [m, n]
  int64_t ldc = 0;
  int64_t m = 0, n = 0, k = 0;
};

// Computes c = a b on the calling thread alone. Each element is a binary32 sum of k products in an order that the
// library chooses. Thread-safe. Errors: INTERNAL, RESOURCE_EXHAUSTED.
absl::Status DnnlGemm(const DnnlGemmArgs& args);

}  // namespace kwta::onednn::support
