// Which version of a kernel this processor runs.
//
// A kernel file is written once, on vectors of KWTA_LANES floats. for_each_instruction_set.inc includes it once for
// each instruction set. No code is compiled for the machine that happens to build.
#pragma once

#include <vector>

namespace kwta::simd {

// kAvx512Vnni is AVX-512 with products of bytes. Kernels that do not multiply bytes have no version of their own for it
// and run their AVX-512 version.
enum class InstructionSet { kPortable, kAvx2, kAvx512, kAvx512Vnni };

// The instruction sets of this processor that kernels are compiled for, best first. kPortable is always there, and
// last.
std::vector<InstructionSet> AvailableInstructionSets();

// "portable", "avx2", "avx512" or "vnni".
const char* InstructionSetName(InstructionSet set);

}  // namespace kwta::simd
