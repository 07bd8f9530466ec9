#include "core/backends/onednn/selection.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/selection.inc"
#include "core/backends/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const SelectionKernels& SelectionKernelsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::kSelectionKernels;
    case InstructionSet::kAvx2:
      return avx2::kSelectionKernels;
#endif
    default:
      return portable::kSelectionKernels;
  }
}

}  // namespace kwta
