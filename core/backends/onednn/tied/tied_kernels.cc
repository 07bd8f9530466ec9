#include "core/backends/onednn/tied/tied_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/tied/tied_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const TiedKernels& TiedKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kTiedKernels;
    case InstructionSet::kAvx2:
      return avx2::kTiedKernels;
#endif
    default:
      return portable::kTiedKernels;
  }
}

}  // namespace kwta
