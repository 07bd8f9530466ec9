#include "core/backends/onednn/regularised/unit_kernels.h"

#include "core/simd/intrinsics.h"

namespace kwta::onednn::regularised {
namespace {

#define KWTA_KERNELS "core/backends/onednn/regularised/unit_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const UnitKernels& UnitKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::regularised
