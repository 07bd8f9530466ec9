#include "core/simd/fixed_order_convolution.h"

// This file is compiled with -ffp-contract=off: a fused multiply-add would round once where the definition rounds
// twice.

namespace kwta {
namespace {

#define KWTA_KERNELS "core/simd/fixed_order_convolution_kernel.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

ConvolutionFunction FixedOrderConvolutionFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::Convolution;
    case InstructionSet::kAvx2:
      return avx2::Convolution;
#endif
    default:
      return portable::Convolution;
  }
}

float FixedOrderConvolution(const float* patch, int64_t channel_stride, int64_t row_stride, const float* filter,
                            int64_t channels, int64_t size) {
  static const ConvolutionFunction convolution = FixedOrderConvolutionFor(AvailableInstructionSets().front());
  return convolution(patch, channel_stride, row_stride, filter, channels, size);
}

}  // namespace kwta
