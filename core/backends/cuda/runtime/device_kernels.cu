#include "core/backends/cuda/kernels/device_thread.h"
#include "core/backends/cuda/kernels/kernels.h"
#include "core/backends/cuda/runtime/device_kernels.h"

namespace kwta::cuda {
namespace {

template <typename Kernel>
__global__ void __launch_bounds__(Kernel::kMaxThreads) Run(const typename Kernel::Args args) {
  DeviceThread thread;
  Kernel::Run(thread, args);
}

}  // namespace

void* KernelFunction(KernelId id) {
  static void* const functions[] = {
#define KWTA_CUDA_KERNEL(name) reinterpret_cast<void*>(&Run<name##Kernel>),
      KWTA_CUDA_KERNELS(KWTA_CUDA_KERNEL)
#undef KWTA_CUDA_KERNEL
  };
  return functions[static_cast<int>(id)];
}

}  // namespace kwta::cuda
