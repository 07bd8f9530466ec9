// Which version of a kernel this processor runs.
//
// A kernel file is written once, on vectors of KWTA_LANES floats, and included once for each instruction set by
// for_each_instruction_set.inc; nothing is compiled for the machine that happens to build.
#pragma once

#include <vector>

namespace kwta {

enum class InstructionSet { kPortable, kAvx2, kAvx512 };

// Those that this processor has and that kernels are compiled for, best first; kPortable is always there, and last.
std::vector<InstructionSet> AvailableInstructionSets();

}  // namespace kwta
