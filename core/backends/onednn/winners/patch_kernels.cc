#include "core/backends/onednn/winners/patch_kernels.h"

namespace kwta::onednn::winners {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/patch_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const PatchKernels& PatchKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::winners
