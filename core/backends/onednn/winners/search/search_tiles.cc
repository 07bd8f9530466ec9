#include "core/backends/onednn/winners/search/search_tiles.h"

#include "core/base/divide_up.h"
#include "core/simd/intrinsics.h"

// This file is compiled with -ffp-contract=off: activities are never fused.

namespace kwta::onednn::winners {
namespace {

#define KWTA_WITH_VNNI
#define KWTA_KERNELS "core/backends/onednn/winners/search/search_tiles.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS
#undef KWTA_WITH_VNNI

}  // namespace

const TileKernels& TileKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::winners
