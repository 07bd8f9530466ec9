#include "core/backends/onednn/codes/top_k_select.h"

#include <cmath>
#include <cstring>
#include <limits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/divide_up.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/codes/top_k_select.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

TopKFunction SelectTopKFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::SelectTopK;
    case InstructionSet::kAvx2:
      return avx2::SelectTopK;
#endif
    default:
      return portable::SelectTopK;
  }
}

}  // namespace kwta
