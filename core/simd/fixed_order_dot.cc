#include "core/simd/fixed_order_dot.h"

// This file is compiled with -ffp-contract=off: a fused multiply-add would round once where the definition rounds
// twice.

namespace kwta {
namespace {

#define KWTA_KERNELS "core/simd/fixed_order_dot_kernel.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

DotFunction FixedOrderDotFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::Dot;
    case InstructionSet::kAvx2:
      return avx2::Dot;
#endif
    default:
      return portable::Dot;
  }
}

float FixedOrderDot(const float* x, const float* w, int64_t n) {
  static const DotFunction dot = FixedOrderDotFor(AvailableInstructionSets().front());
  return dot(x, w, n);
}

}  // namespace kwta
