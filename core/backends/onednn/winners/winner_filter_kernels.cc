#include "core/backends/onednn/winners/winner_filter_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/divide_up.h"

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta {
namespace {

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "core/backends/onednn/winners/winner_filter_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

}  // namespace

const WinnerFilterKernels& WinnerFilterKernelsFor(ByteProduct product) {
  switch (product) {
#if defined(__x86_64__)
    case ByteProduct::kVnni:
      return vnni::kWinnerFilterKernels;
    case ByteProduct::kAvx512:
      return avx512::kWinnerFilterKernels;
    case ByteProduct::kAvx2:
      return avx2::kWinnerFilterKernels;
#endif
    default:
      return portable::kWinnerFilterKernels;
  }
}

}  // namespace kwta
