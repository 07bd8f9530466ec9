#include "core/backends/onednn/support/row_operations.h"

namespace kwta::onednn::support {
namespace {

#define KWTA_KERNELS "core/backends/onednn/support/row_operations.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const RowOperations& RowOperationsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta::onednn::support
