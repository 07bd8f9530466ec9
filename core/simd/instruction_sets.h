// Instruction sets, and which version of a kernel this processor runs.
//
// Each kernel is written once, on vectors of KWTA_LANES floats. for_each_instruction_set.inc compiles it once for each
// instruction set. No code is compiled for the build machine in particular.
#pragma once

#include <vector>

namespace kwta::simd {

// kAvx512Vnni is AVX-512 with byte products. Kernels that do not multiply bytes run their AVX-512 version for it.
enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Vnni };

// The environment variable that names the best instruction set to use. It holds for the whole process.
inline constexpr char kForcedInstructionSet[] = "KWTA_FORCE_ISA";

// Returns the instruction sets that this processor has and kernels are compiled for, best first. kPortable is always
// the last. Leaves out those better than the one that kForcedInstructionSet names. A name that is none of them changes
// nothing.
std::vector<InstructionSet> AvailableInstructionSets();

// Returns "portable", "avx2", "avx512" or "vnni".
const char* InstructionSetName(InstructionSet set);

}  // namespace kwta::simd
