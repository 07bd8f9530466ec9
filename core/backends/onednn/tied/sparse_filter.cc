#include "core/backends/onednn/tied/sparse_filter.h"

#include "core/backends/onednn/codes/norm_bound.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/tied/sparse_filter.inc"
#include "core/simd/for_each_instruction_set.inc"
#if defined(__x86_64__)
#define KWTA_KERNEL __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#define KWTA_LANES 16
#define KWTA_VNNI
namespace vnni {
typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias, unused));
typedef int Ints __attribute__((vector_size(64), aligned(4), may_alias, unused));
#include KWTA_KERNELS
}  // namespace vnni
#undef KWTA_VNNI
#undef KWTA_LANES
#undef KWTA_KERNEL
#endif
#undef KWTA_KERNELS

}  // namespace

SparseRow PrepareSparseRow(const SparseFilterKernels& kernels, const float* x, const float* offset, int64_t width,
                           InputGroup* groups, int32_t* tiles, int64_t tile_stride) {
  SparseRow row = kernels.prepare_row(x, offset, width, groups, tiles, tile_stride);
  // Elements of y are rounded by 2^-24 of themselves.
  row.norm = NormBound(row.norm, width) * (offset == nullptr ? 1 : 1 + 0x1p-20f);
  // And an error by up to 2^-23 of the element that it is of.
  row.error = NormBound(row.error, width) + row.norm * (offset == nullptr ? 0x1p-22f : 0x1p-21f);
  return row;
}

const SparseFilterKernels& SparseFilterKernelsFor(ByteProduct product) {
  switch (product) {
#if defined(__x86_64__)
    case ByteProduct::kVnni:
      return vnni::kSparseFilterKernels;
    case ByteProduct::kAvx512:
      return avx512::kSparseFilterKernels;
    case ByteProduct::kAvx2:
      return avx2::kSparseFilterKernels;
#endif
    default:
      return portable::kSparseFilterKernels;
  }
}

}  // namespace kwta
