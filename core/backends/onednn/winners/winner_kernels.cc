#include "core/backends/onednn/winners/winner_kernels.h"

// This file is compiled with -fno-math-errno: a root that sets errno cannot be part of a vector.

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/winner_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const WinnerKernels& WinnerKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kWinnerKernels;
    case InstructionSet::kAvx2:
      return avx2::kWinnerKernels;
#endif
    default:
      return portable::kWinnerKernels;
  }
}

}  // namespace kwta
