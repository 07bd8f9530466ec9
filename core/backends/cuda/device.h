// A device as the backend sees it: memory, queues, kernels and library products. The CUDA runtime implements it
// (runtime/cuda_device.h), and so does the emulation of tests/.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

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

// What library products in bfloat16 ask of rows.
inline constexpr int64_t kProductAlignment = 8;

// c[m, n] = a[m, k] b[n, k]' with a and b in bfloat16 and c in binary32, row-major; rows of c are c_stride apart. The
// error is within Bf16ErrorFactor (kernels/bounds.h). REQUIRES: k and c_stride are multiples of kProductAlignment.
struct Bf16ProductArgs {
  const uint16_t* a = nullptr;
  const uint16_t* b = nullptr;
  float* c = nullptr;
  int64_t m = 0, n = 0, k = 0, c_stride = 0;
};

// As ProductKernel, in binary32 without rounding of factors, and in an order of summation that depends on the sizes
// alone: c[m, n] = scale * a b, plus c if `add`; a is [m, k] or, transposed, [k, m]; b is [k, n] or, transposed, [n,
// k].
struct FloatProductArgs {
  const float* a = nullptr;
  const float* b = nullptr;
  float* c = nullptr;
  int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false, add = false;
  float scale = 1;
};

// A launch of a kernel or, if there are no blocks, zeros for an array.
struct Command {
  KernelId kernel = KernelId();
  int64_t blocks = 0;
  int threads = 0;
  int64_t shared_bytes = 0;
  std::vector<uint64_t> args;  // the kernel's Args, in whole words
  void* memory = nullptr;      // of zeros
  size_t bytes = 0;
};

// The queues of a device. Each does what it is told in order; between them only events say what comes first.
enum class Stream { kCompute, kCopyIn, kCopyOut };
inline constexpr int kStreams = 3;

// A mark in a queue: of what was in it when it was last recorded.
using Event = int;

// Everything but Wait may return before the device has done it. What fails there is returned by a later call, with the
// name of the operation. After such an error every call returns it: the device is lost to this process. Thread-safe.
class Device {
 public:
  virtual ~Device() = default;

  virtual const DeviceFacts& facts() const = 0;
  // Never waits for the device.
  virtual DeviceReport report() const = 0;

  // Uninitialised memory, aligned to 256 bytes, for what is queued to compute from now on. Errors: RESOURCE_EXHAUSTED.
  // REQUIRES: bytes > 0.
  virtual absl::StatusOr<void*> Allocate(size_t bytes) = 0;
  // Frees memory once what is queued to compute so far is done. Of a device that has failed, once all that is queued is
  // over: those who waited for copies were sent away.
  virtual void Free(void* memory) = 0;
  // Memory of the host that a device copies from and to while the host goes on.
  virtual absl::StatusOr<void*> AllocateHost(size_t bytes) = 0;
  // REQUIRES: no copy to or from it is queued, or the device has failed.
  virtual void FreeHost(void* memory) = 0;

  // Events live as long as the device. One that was never recorded marks nothing.
  virtual absl::StatusOr<Event> CreateEvent() = 0;
  virtual absl::Status Record(Event event, Stream stream) = 0;
  // What `stream` is told from now on comes after the mark.
  virtual absl::Status WaitFor(Stream stream, Event event) = 0;
  // The host waits for the mark.
  virtual absl::Status Wait(Event event) = 0;

  // From and to the device's memory or AllocateHost's, which must both stay as they are until it is done.
  virtual absl::Status Copy(Stream stream, const void* from, void* to, size_t bytes) = 0;
  // Computes what `operation` consists of, one after another. The device may do the same list with other arguments
  // faster the next time.
  virtual absl::Status Submit(const char* operation, const std::vector<Command>& commands) = 0;

  // Whether products work: they need a library. Errors of products: UNIMPLEMENTED if the library has none of these
  // sizes; nothing is queued then.
  virtual bool has_products() = 0;
  virtual absl::Status Bf16Product(const char* operation, const Bf16ProductArgs& args) = 0;
  virtual absl::Status FloatProduct(const char* operation, const FloatProductArgs& args) = 0;
};

// A kernel's launch by its type. `blocks` blocks of `threads` threads, a multiple of 32.
template <typename Kernel>
Command LaunchOf(int64_t blocks, int threads, const typename Kernel::Args& args) {
  Command command;
  command.kernel = Kernel::kId;
  command.blocks = blocks;
  command.threads = threads;
  command.shared_bytes = Kernel::SharedBytes(args, threads);
  command.args.resize((sizeof(args) + 7) / 8);
  std::memcpy(command.args.data(), &args, sizeof(args));
  return command;
}

}  // namespace kwta::cuda
