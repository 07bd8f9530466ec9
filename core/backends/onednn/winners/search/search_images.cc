#include "core/backends/onednn/winners/search/search_images.h"

#include "core/base/divide_up.h"
#include "core/simd/intrinsics.h"

namespace kwta::onednn::winners {
namespace {

#define KWTA_KERNELS "core/backends/onednn/winners/search/search_images.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const ImageKernels& ImageKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::winners
