#include "core/backends/onednn/tied/sparse_dots.h"

// This file is compiled with -ffp-contract=off, as that of FixedOrderDot is.

namespace kwta {
namespace {

#define KWTA_KERNELS "core/backends/onednn/tied/sparse_dots.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

SparseDotsFunction SparseDotsFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::SparseDots;
    case InstructionSet::kAvx2:
      return avx2::SparseDots;
#endif
    default:
      return portable::SparseDots;
  }
}

}  // namespace kwta
