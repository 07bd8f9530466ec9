// The inner loops of products with matrices of which only some elements are not zero, one version per instruction set.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::onednn::support {

// Every function is thread-safe, takes unaligned pointers, and returns the same bits for the same arguments wherever
// they lie in memory. Strides are distances between rows, in elements.
struct SparseKernels {
  // Writes the elements of x + offset that are not zero (NaN is not), and their places, ascending. Returns their
  // number. offset is [n], or null. indices and values have room for n + 16 entries.
  int64_t (*compress)(const float* x, const float* offset, int64_t n, int32_t* indices, float* values);
  // out[n] += sum over e < count of values[e] * rows[indices[e]], in the order of e. rows is [.., n] with a stride.
  void (*accumulate)(const int32_t* indices, const float* values, int64_t count, const float* rows, int64_t stride,
                     int64_t n, float* out);
  // products[e] = <x, rows[indices[e]]> for e < count; x is [n].
  void (*dots)(const float* x, const int32_t* indices, int64_t count, const float* rows, int64_t stride, int64_t n,
               float* products);
  // out[c, r] = in[r, c] for r < rows, c < columns; the second adds to out.
  void (*transpose)(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out, int64_t out_stride);
  void (*add_transposed)(const float* in, int64_t in_stride, int64_t rows, int64_t columns, float* out,
                         int64_t out_stride);
};

// REQUIRES: set is in AvailableInstructionSets().
const SparseKernels& SparseKernelsFor(simd::InstructionSet set);

}  // namespace kwta::onednn::support
