#include "core/backends/onednn/winners/winner_columns.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta {
namespace {

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "core/backends/onednn/winners/winner_columns.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

}  // namespace

const WinnerColumnKernels* WinnerColumnKernelsFor(ByteProduct product) {
  switch (product) {
#if defined(__x86_64__)
    case ByteProduct::kVnni:
      return &vnni::kWinnerColumnKernels;
    case ByteProduct::kAvx512:
      return &avx512::kWinnerColumnKernels;
#endif
    default:
      return nullptr;
  }
}

}  // namespace kwta
