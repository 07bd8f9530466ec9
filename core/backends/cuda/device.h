// A device as the backend sees it: memory, copies, kernels and library products in one queue. The CUDA runtime
// implements it (runtime/cuda_device.h), and so does the emulation of tests/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/device_report.h"

namespace kwta::cuda {

// What a device says of itself.
struct DeviceFacts {
  std::string name;
  size_t memory_bytes = 0;
};

// What library products ask of rows.
inline constexpr int64_t kProductAlignment = 8;

// c[m, n] = a[m, k] b[n, k]' with a and b in bfloat16 and c in binary32, row-major; rows of c are c_stride apart. The
// error is within Bf16ErrorFactor (kernels/bounds.h). REQUIRES: k and c_stride are multiples of kProductAlignment.
struct Bf16ProductArgs {
  const uint16_t* a = nullptr;
  const uint16_t* b = nullptr;
  float* c = nullptr;
  int64_t m = 0, n = 0, k = 0, c_stride = 0;
};

// Everything but Wait and CopyToHost may return before the device has done it; the device works in the order of the
// calls. What fails there is returned by a later call, with the name of the operation that was running. After such an
// error every call returns it: the device is lost to this process. Thread-safe.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceFacts& facts() const = 0;
  // Never waits for the device.
  virtual DeviceReport report() const = 0;

  // Uninitialised memory, aligned to 256 bytes. Errors: RESOURCE_EXHAUSTED. REQUIRES: bytes > 0.
  virtual absl::StatusOr<void*> Allocate(size_t bytes) = 0;
  // Frees memory once the calls so far are done with it.
  virtual void Free(void* memory) = 0;
  virtual absl::Status Clear(void* memory, size_t bytes) = 0;
  // The host's bytes may change once it returns.
  virtual absl::Status CopyFromHost(const void* host, void* memory, size_t bytes) = 0;
  virtual absl::Status CopyToHost(const void* memory, void* host, size_t bytes) = 0;
  virtual absl::Status Wait() = 0;

  // Runs `blocks` blocks of `threads` threads, a multiple of 32. `args` is the Args of that kernel.
  virtual absl::Status Launch(KernelId kernel, int64_t blocks, int threads, int64_t shared_bytes, const void* args) = 0;

  // Whether Bf16Product works: it needs a library.
  virtual bool has_products() = 0;
  virtual absl::Status Bf16Product(const Bf16ProductArgs& args) = 0;
};

// Launches a kernel by its type. No blocks are fine.
template <typename Kernel>
absl::Status Launch(Device& device, int64_t blocks, int threads, const typename Kernel::Args& args) {
  if (blocks == 0) return absl::OkStatus();
  return device.Launch(Kernel::kId, blocks, threads, Kernel::SharedBytes(args, threads), &args);
}

}  // namespace kwta::cuda
