#include "core/simd/row_noise.h"

#include <cstring>

#include "core/simd/intrinsics.h"

// This file is compiled with -ffp-contract=off: a fused multiply-add would round once where others round twice.

namespace kwta::simd {
namespace {

#define KWTA_KERNELS "core/simd/row_noise.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const RowNoise& RowNoiseFor(InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::simd
