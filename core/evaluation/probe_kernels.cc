#include "core/evaluation/probe_kernels.h"

#include <cmath>

namespace kwta {
namespace {

#define KWTA_KERNELS "core/evaluation/probe_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const ProbeKernels& ProbeKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kProbeKernels;
    case InstructionSet::kAvx2:
      return avx2::kProbeKernels;
#endif
    default:
      return portable::kProbeKernels;
  }
}

}  // namespace kwta
