// The dot product that decides which units are in a code.
#pragma once

#include <cstdint>

#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// Computes sum x[i] * w[i] in binary32 with a fixed order of rounding. Each of 64 partial sums starts at zero; lane l
// adds i = l, l + 64, ... in turn (multiply, round, add, round: never fused). Then lanes l and l + 32 are added,
// l and l + 16, ... l and l + 1. Every processor and every instruction set returns the same bits.
// |result - exact| <= DotErrorFactor(n) * |x| |w| + n 2^-149, if no sum overflows.
// Thread-safe. x and w need no alignment. REQUIRES: the processor rounds to nearest and keeps subnormal numbers.
float FixedOrderDot(const float* x, const float* w, int64_t n);

// Returns the version for one instruction set. All versions return the same bits. REQUIRES: set is in
// AvailableInstructionSets().
using DotFunction = float (*)(const float* x, const float* w, int64_t n);
DotFunction FixedOrderDotFor(InstructionSet set);

// Bounds the relative error, against |x| |w|, of FixedOrderDot and of any other binary32 summation of n products in any
// order: (n + 8) * 2^-24. Covers the second-order terms while n < 2^20.
inline float DotErrorFactor(int64_t n) { return static_cast<float>(n + 8) * 0x1.02p-24f; }

}  // namespace kwta::simd
