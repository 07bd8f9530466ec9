#include "core/simd/fixed_order_convolution.h"

// This file is compiled with -ffp-contract=off: a fused multiply-add would round once where the definition rounds
// twice.

namespace kwta::simd {
namespace {

#define KWTA_KERNELS "core/simd/fixed_order_convolution.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

ConvolutionFunction FixedOrderConvolutionFor(InstructionSet set) { return VersionFor(set); }

float FixedOrderConvolution(const float* patch, int64_t channel_stride, int64_t row_stride, const float* filter,
                            int64_t channels, int64_t size) {
  static const ConvolutionFunction convolution = FixedOrderConvolutionFor(AvailableInstructionSets().front());
  return convolution(patch, channel_stride, row_stride, filter, channels, size);
}

}  // namespace kwta::simd
