// A device on the processor: its memory is the host's, and its kernels run on EmulatedBlock.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device.h"
#include "tests/core/backends/cuda/emulation/block.h"

namespace kwta::cuda {

struct EmulationOptions {
  uint64_t seed = 1;     // of the order of blocks and of threads
  bool products = true;  // has_products
  size_t memory_bytes = size_t{1} << 40;
  Mutation mutation;
  bool counting = false;  // counts distinct sectors too: slow
};

// Kernels run at once; what goes wrong in one is the error of its launch, with the kernel's name. New memory holds NaN.
// Products round as a device does, and cut off what a device may cut off. Thread-safe.
class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulationOptions& options);
  ~EmulatedDevice() override;

  const DeviceFacts& facts() const override { return facts_; }
  // Without times: the kernels run on the processor.
  DeviceReport report() const override;
  absl::StatusOr<void*> Allocate(size_t bytes) override;
  void Free(void* memory) override;
  absl::Status Clear(void* memory, size_t bytes) override;
  absl::Status CopyFromHost(const void* host, void* memory, size_t bytes) override;
  absl::Status CopyToHost(const void* memory, void* host, size_t bytes) override;
  absl::Status Wait() override { return absl::OkStatus(); }
  absl::Status Launch(KernelId kernel, int64_t blocks, int threads, int64_t shared_bytes, const void* args) override;
  bool has_products() override { return options_.products; }
  absl::Status Bf16Product(const Bf16ProductArgs& args) override;

  // By kernel. The product's name is "bf16_product".
  std::map<std::string, LaunchCounts> counts() const;
  void ResetCounts();

 private:
  const EmulationOptions options_;
  const DeviceFacts facts_;
  mutable absl::Mutex mutex_;
  EmulatedBlock block_ ABSL_GUARDED_BY(mutex_);
  uint64_t launches_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, LaunchCounts> counts_ ABSL_GUARDED_BY(mutex_);
  std::map<const void*, size_t> memory_ ABSL_GUARDED_BY(mutex_);
  size_t allocated_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kwta::cuda
