#include "core/simd/byte_values.h"

#include "core/simd/instruction_sets.h"
#include "core/simd/intrinsics.h"

namespace kwta::simd {
namespace {

using DivideFunction = void (*)(const uint8_t* bytes, int64_t n, float divisor, float* out);

#define KWTA_KERNELS "core/simd/byte_values.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

void DivideBytes(const uint8_t* bytes, int64_t n, float divisor, float* out) {
  static const DivideFunction divide = VersionFor(AvailableInstructionSets().front());
  divide(bytes, n, divisor, out);
}

}  // namespace kwta::simd
