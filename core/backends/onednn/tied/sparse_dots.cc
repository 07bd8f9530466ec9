#include "core/backends/onednn/tied/sparse_dots.h"

// This file is compiled with -ffp-contract=off, as that of FixedOrderDot is.

namespace kwta::onednn::tied {
namespace {

#define KWTA_KERNELS "core/backends/onednn/tied/sparse_dots.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

SparseDotsFunction SparseDotsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::tied
