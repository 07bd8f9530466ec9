#include "core/backends/onednn/winners/winner_pass_kernels.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/winner_pass_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const WinnerPassKernels& WinnerPassKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kWinnerPassKernels;
    case InstructionSet::kAvx2:
      return avx2::kWinnerPassKernels;
#endif
    default:
      return portable::kWinnerPassKernels;
  }
}

}  // namespace kwta
