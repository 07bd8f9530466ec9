#include "core/backends/onednn/support/sparse_kernels.h"

#include "core/simd/intrinsics.h"

namespace kwta::onednn::support {
namespace {

#define KWTA_KERNELS "core/backends/onednn/support/sparse_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const SparseKernels& SparseKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::support
