// The kernels as the CUDA runtime launches them.
#pragma once

#include "core/backends/cuda/kernels/kernel_list.h"

namespace kwta::cuda {

// What cudaLaunchKernel and nodes of graphs take.
void* KernelFunction(KernelId id);

}  // namespace kwta::cuda
