#include "core/backends/onednn/winners/convolution_rows.h"

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta {

namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/convolution_rows.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const ConvolutionRowKernels& ConvolutionRowKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kConvolutionRowKernels;
    case InstructionSet::kAvx2:
      return avx2::kConvolutionRowKernels;
#endif
    default:
      return portable::kConvolutionRowKernels;
  }
}

}  // namespace kwta
