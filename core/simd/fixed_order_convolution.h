// The one order of summation in which the activities of a convolutional map are computed.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// The widest filter that FixedOrderConvolution takes.
constexpr int64_t kMaxFilterSize = 1024;

// An activity before its bias, at one position: the sum over channel c, row dy and column dx of
//   patch[c * channel_stride + dy * row_stride + dx] * filter[(c * size + dy) * size + dx]
// in binary32 with a fixed order of rounding. Each column dx has a partial sum that starts at +0 and takes the products
// of (c, dy) in ascending order (multiply, round, add, round: never fused). The partial sums, followed by zeros up to
// the next power of two n of them, are added as a tree: l and l + n/2, then l and l + n/4, ... The bias, if there is
// one, is to be added last. The same bits on every processor, with every instruction set.
//
// Pixels outside the image are zeros of the patch. A sum that starts at +0 never becomes -0 and is not changed by
// adding a zero of either sign, so an implementation may leave out products with such zeros (or with any other zero)
// and get the same bits, as long as filters are finite; one that starts a sum with its first product may not. The order
// suits vectors over columns, over positions, and over filters.
//
// The error is within DotErrorFactor(channels * size * size) (core/simd/fixed_order_dot.h) of |patch| |filter|.
// Thread-safe. Nothing needs alignment. REQUIRES: 1 <= size <= kMaxFilterSize, size <= row_stride, and the rows of a
// channel of the patch lie in one array, of which elements between them may be read. The processor rounds to nearest
// and keeps subnormal numbers.
float FixedOrderConvolution(const float* patch, int64_t channel_stride, int64_t row_stride, const float* filter,
                            int64_t channels, int64_t size);

// The version for one instruction set. All return the same bits. REQUIRES: it is in AvailableInstructionSets().
using ConvolutionFunction = float (*)(const float* patch, int64_t channel_stride, int64_t row_stride,
                                      const float* filter, int64_t channels, int64_t size);
ConvolutionFunction FixedOrderConvolutionFor(InstructionSet set);

}  // namespace kwta::simd
