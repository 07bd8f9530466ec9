// What the processor offers and how much of it this process may use.
#pragma once

#include <string>
#include <vector>

namespace kwta {

// Returns how many processors this process may use: the smaller of its affinity mask and its control groups' quota,
// rounded up, at least 1.
int AvailableProcessors();

// Returns `requested`, or AvailableProcessors() if it is 0.
int ResolveThreads(int requested);

// Returns the instruction sets that matter to the kernels, such as "avx2", "avx512f", "avx512_vnni", "amx_bf16", in
// that order.
std::vector<std::string> CpuFeatures();

}  // namespace kwta
