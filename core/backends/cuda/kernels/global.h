// What kernels are written in, besides the thread that runs them.
//
// A kernel is a struct with
//   struct Args                 what the host passes by value
//   kName, kMaxThreads          its name in messages and figures; the most threads of a block
//   SharedBytes(args)           bytes of shared memory of a block
//   Run(thread, args)           a template over the thread
// nvcc compiles Run with DeviceThread (device_thread.h), the host's compiler with the emulation of tests/. Both have:
//   thread(), threads(), lane(), warp(), block()    where the thread stands; blocks have one dimension
//   Load(array, i), Store(array, i, value)          global memory
//   View(array, first, count)                       read-only global memory, for inner loops
//   AtomicAdd(array, i, value)                      on integers; returns what was there
//   Shared<T>(count)                                the next `count` elements of shared memory, the same in all threads
//   Barrier(), WarpBarrier()                        of the block, of the warp
//   AnyBarrier(flag)                                Barrier; says whether a thread of the block raised its flag
//   ShuffleXor(value, mask), ShuffleUp(value, n), Ballot(flag)    of all 32 threads of a warp; no order of memory
//   Below(i, end)                                   i < end, of an index: the emulation can get it wrong on purpose
//   Product(a, b), Sum(a, b)                        binary32, each rounded once and never fused
#pragma once

#include <cstdint>

#include "core/base/host_device.h"

#if defined(__CUDA_ARCH__) || defined(__clang__)
#define KWTA_CUDA_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define KWTA_CUDA_UNROLL
#else
#define KWTA_CUDA_UNROLL _Pragma("GCC unroll 64")
#endif

namespace kwta::cuda {

inline constexpr int kWarp = 32;

// An array in the device's memory, and how many elements a kernel may touch.
template <typename T>
struct Global {
  T* data = nullptr;
  int64_t size = 0;
};

template <typename T>
KWTA_HOST_DEVICE inline bool IsNull(const Global<T>& array) {
  return array.data == nullptr;
}

}  // namespace kwta::cuda
