#include "core/backends/onednn/regularised/affine_kernels.h"

#include "core/simd/intrinsics.h"

// This file is compiled with -ffp-contract=off: FixedOrderDot rounds every product and every sum.

namespace kwta::onednn::regularised {
namespace {

#define KWTA_KERNELS "core/backends/onednn/regularised/affine_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const AffineKernels& AffineKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::regularised
