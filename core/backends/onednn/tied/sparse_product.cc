#include "core/backends/onednn/tied/sparse_product.h"

#include "core/backends/onednn/codes/bounds.h"
#include "core/simd/intrinsics.h"

namespace kwta::onednn::tied {
namespace {

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "core/backends/onednn/tied/sparse_product.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

}  // namespace

SparseRow PrepareSparseRow(const SparseProductKernels& kernels, const float* x, const float* offset, int64_t width,
                           InputGroup* groups, int32_t* tiles, int64_t tile_stride) {
  SparseRow row = kernels.prepare_row(x, offset, width, groups, tiles, tile_stride);
  // Rounding changes elements of y by 2^-24 of their size.
  row.norm = codes::NormBound(row.norm, width) * (offset == nullptr ? 1 : 1 + 0x1p-20f);
  // It changes an error by up to 2^-23 of the size of its element.
  row.error = codes::NormBound(row.error, width) + row.norm * (offset == nullptr ? 0x1p-22f : 0x1p-21f);
  return row;
}

const SparseProductKernels& SparseProductKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::tied
