#include "core/evaluation/probe_kernels.h"

#include <cmath>

namespace kwta {
namespace {

#define KWTA_KERNELS "core/evaluation/probe_kernels.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

}  // namespace

const ProbeKernels& ProbeKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

}  // namespace kwta
