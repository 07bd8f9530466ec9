// The kernels as the CUDA runtime launches them.
#pragma once

#include "core/backends/cuda/kernels/kernel_list.h"

namespace kwta::cuda {

struct DeviceKernel {
  const char* name;
  int max_threads;
  const void* function;  // for cudaLaunchKernel
};

const DeviceKernel& KernelOf(KernelId id);

}  // namespace kwta::cuda
