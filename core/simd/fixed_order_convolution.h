// The one summation order for the activities of a convolutional map.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// The widest filter that FixedOrderConvolution takes.
constexpr int64_t kMaxFilterSize = 1024;

// Computes an activity before its bias, at one position: the sum over channel c, row dy and column dx of
//   patch[c * channel_stride + dy * row_stride + dx] * filter[(c * size + dy) * size + dx]
// in binary32 with a fixed order of rounding. Each column dx has a partial sum that starts at +0 and adds the products
// of (c, dy) in ascending order (multiply, round, add, round: never fused). Zeros pad the partial sums to the next
// power of two n, and a tree adds them: l and l + n/2, then l and l + n/4, ... The caller adds the bias, if any, last.
// Every processor and every instruction set returns the same bits.
//
// Pixels outside the image are zeros of the patch. A sum that starts at +0 never becomes -0, and adding a zero of
// either sign does not change it. If the filters are finite, an implementation may therefore leave out products with
// such zeros (or with any other zero) and get the same bits. It may not if it starts a sum with its first product. The
// order suits vectors over columns, over positions, and over filters.
//
// The error is within DotErrorFactor(channels * size * size) (core/simd/fixed_order_dot.h) of |patch| |filter|.
// Thread-safe. Nothing needs alignment. REQUIRES: 1 <= size <= kMaxFilterSize, size <= row_stride, and the rows of a
// channel of the patch lie in one array in which the elements between them may be read. The processor rounds to nearest
// and keeps subnormal numbers.
float FixedOrderConvolution(const float* patch, int64_t channel_stride, int64_t row_stride, const float* filter,
                            int64_t channels, int64_t size);

// Returns the version for one instruction set. All versions return the same bits. REQUIRES: set is in
// AvailableInstructionSets().
using ConvolutionFunction = float (*)(const float* patch, int64_t channel_stride, int64_t row_stride,
                                      const float* filter, int64_t channels, int64_t size);
ConvolutionFunction FixedOrderConvolutionFor(InstructionSet set);

}  // namespace kwta::simd
