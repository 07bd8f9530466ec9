#include "core/backends/onednn/winner_images.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/base/divide_up.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winner_images.inc"
#include "core/backends/for_each_instruction_set.inc"
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
