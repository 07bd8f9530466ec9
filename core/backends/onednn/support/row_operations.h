// Arithmetic on rows of floats, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::support {

// Every function is thread-safe, takes unaligned pointers, and returns the same bits for the same arguments wherever
// they lie in memory. n >= 1.
struct RowOperations {
  // Sum of squares in binary64; the squares are exact.
  double (*squared_norm)(const float* x, int64_t n);
  // out[n] = initial + sum over q < count of scales[q] * rows[q], in the order of q; initial null means zero.
  void (*weighted_sum)(const float* initial, const float* const* rows, const float* scales, int64_t count, int64_t n,
                       float* out);
  // out -= x.
  void (*subtract)(const float* x, int64_t n, float* out);
  // velocity = momentum * velocity - rate * gradient (null: zero), parameter += velocity.
  void (*momentum)(float* parameter, float* velocity, const float* gradient, int64_t n, float rate, float momentum);
  // As momentum. Returns squared_norm of the new parameter, in the same pass.
  double (*momentum_with_norm)(float* parameter, float* velocity, const float* gradient, int64_t n, float rate,
                               float momentum);
  // x = x * factor, the product in binary64.
  void (*scale)(double factor, float* x, int64_t n);
};

// REQUIRES: set is in AvailableInstructionSets().
const RowOperations& RowOperationsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::support
