#include "core/simd/fixed_order_dot.h"

// This file is compiled with -ffp-contract=off: a fused multiply-add would round once where the definition rounds
// twice.

namespace kwta::simd {
namespace {

#define KWTA_KERNELS "core/simd/fixed_order_dot.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

DotFunction FixedOrderDotFor(InstructionSet set) { return VersionFor(set); }

float FixedOrderDot(const float* x, const float* w, int64_t n) {
  static const DotFunction dot = FixedOrderDotFor(AvailableInstructionSets().front());
  return dot(x, w, n);
}

}  // namespace kwta::simd
