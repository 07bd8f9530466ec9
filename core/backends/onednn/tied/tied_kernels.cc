#include "core/backends/onednn/tied/tied_kernels.h"

#include "core/simd/intrinsics.h"

namespace kwta::onednn::tied {
namespace {

#define KWTA_KERNELS "core/backends/onednn/tied/tied_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const TiedKernels& TiedKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::tied
