#include "core/backends/onednn/winners/winner_images.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/divide_up.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/winner_images.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const WinnerImageKernels& WinnerImageKernelsFor(ByteProduct product) {
  switch (product) {
#if defined(__x86_64__)
    case ByteProduct::kVnni:
    case ByteProduct::kAvx512:
      return avx512::kWinnerImageKernels;
    case ByteProduct::kAvx2:
      return avx2::kWinnerImageKernels;
#endif
    default:
      return portable::kWinnerImageKernels;
  }
}

}  // namespace kwta
