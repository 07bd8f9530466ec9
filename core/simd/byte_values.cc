#include "core/simd/byte_values.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/simd/instruction_sets.h"

namespace kwta {
namespace {

#define KWTA_KERNELS "core/simd/byte_values.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

using DivideFunction = void (*)(const uint8_t* bytes, int64_t n, float divisor, float* out);

DivideFunction FunctionFor(InstructionSet set) {
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::kAvx512:
      return avx512::Divide;
    case InstructionSet::kAvx2:
      return avx2::Divide;
#endif
    default:
      return portable::Divide;
  }
}

}  // namespace

void DivideBytes(const uint8_t* bytes, int64_t n, float divisor, float* out) {
  static const DivideFunction divide = FunctionFor(AvailableInstructionSets().front());
  divide(bytes, n, divisor, out);
}

}  // namespace kwta
