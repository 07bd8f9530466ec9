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

template <typename Kernel>
DeviceKernel OnDevice() {
  return {Kernel::kName, Kernel::kMaxThreads, reinterpret_cast<const void*>(&Run<Kernel>)};
}

}  // namespace

const DeviceKernel& KernelOf(KernelId id) {
  static const DeviceKernel kernels[] = {
#define KWTA_CUDA_KERNEL(name) OnDevice<name##Kernel>(),
      KWTA_CUDA_KERNELS(KWTA_CUDA_KERNEL)
#undef KWTA_CUDA_KERNEL
  };
  return kernels[static_cast<int>(id)];
}

}  // namespace kwta::cuda
