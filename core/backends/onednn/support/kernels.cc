#include "core/backends/onednn/support/kernels.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/support/kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const Kernels& KernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kKernels;
    case InstructionSet::kAvx2:
      return avx2::kKernels;
#endif
    default:
      return portable::kKernels;
  }
}

}  // namespace kwta
