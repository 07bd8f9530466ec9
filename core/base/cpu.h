// What the processor has and how much of it this process may use.
#pragma once

#include <string>
#include <vector>

namespace kwta {

// Processors this process may use: the smaller of its affinity mask and the quota of its control groups, rounded up, at
// least 1.
int AvailableProcessors();

// `requested` threads, or AvailableProcessors() if it is 0.
int ResolveThreads(int requested);

// Instruction sets that matter to the kernels, such as "avx2", "avx512f", "avx512_vnni", "amx_bf16", in that order.
std::vector<std::string> CpuFeatures();

}  // namespace kwta
