// A device on the processor: its memory is the host's, and its kernels run on EmulatedBlock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device.h"
#include "core/backends/cuda/graphs.h"
#include "tests/core/backends/cuda/emulation/block.h"
#include "tests/core/backends/cuda/emulation/queues.h"

namespace kwta::cuda {

struct EmulationOptions {
  uint64_t seed = 1;     // of the order of queues, blocks and threads
  bool products = true;  // has_products
  size_t memory_bytes = size_t{1} << 40;
  Mutation mutation = MutationOfEnvironment();
  bool counting = false;                // counts distinct sectors too: slow
  std::optional<Stream> without_waits;  // a queue that forgets to wait for others: a fault on purpose
};

// Work is done later than it is asked for, in any order that queues and events allow (queues.h). What goes wrong in a
// kernel is returned by a later call, with the names of the operation and of the kernel; after that nothing runs. New
// memory holds NaN. Products in bfloat16 cut off what a device may cut off. Thread-safe.
class EmulatedDevice final : public Device {
 public:
  explicit EmulatedDevice(const EmulationOptions& options);
  ~EmulatedDevice() override;

  const DeviceFacts& facts() const override { return facts_; }
  // Without times: the kernels run on the processor.
  DeviceReport report() const override;
  absl::StatusOr<void*> Allocate(size_t bytes) override;
  void Free(void* memory) override;
  absl::StatusOr<void*> AllocateHost(size_t bytes) override;
  void FreeHost(void* memory) override;
  absl::StatusOr<Event> CreateEvent() override;
  absl::Status Record(Event event, Stream stream) override;
  absl::Status WaitFor(Stream stream, Event event) override;
  absl::Status Wait(Event event) override;
  absl::Status Copy(Stream stream, const void* from, void* to, size_t bytes) override;
  absl::Status Submit(const char* operation, const std::vector<Command>& commands) override;
  bool has_products() override { return options_.products; }
  absl::Status Bf16Product(const char* operation, const Bf16ProductArgs& args) override;
  absl::Status FloatProduct(const char* operation, const FloatProductArgs& args) override;

  // Waits for everything; the failure of a kernel, if one failed.
  absl::Status Drain();
  // By kernel, of everything that was asked for. The products' names are "bf16_product" and "float_product".
  std::map<std::string, LaunchCounts> counts();
  void ResetCounts();
  // How many lists were launched as graphs.
  int64_t graph_launches() const;

 private:
  // Does a command now.
  void Execute(const char* operation, const Command& command) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Holds(const void* memory) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(void* memory) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Puts off `action`, which needs no lock of its own.
  void Later(Stream stream, std::function<void()> action) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const EmulationOptions options_;
  const DeviceFacts facts_;
  mutable absl::Mutex mutex_;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  EmulatedQueues queues_ ABSL_GUARDED_BY(mutex_);
  GraphCache graphs_ ABSL_GUARDED_BY(mutex_);
  EmulatedBlock block_ ABSL_GUARDED_BY(mutex_);
  uint64_t launches_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t graph_launches_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, LaunchCounts> counts_ ABSL_GUARDED_BY(mutex_);
  std::map<const void*, size_t> memory_ ABSL_GUARDED_BY(mutex_);
  std::set<void*> host_memory_ ABSL_GUARDED_BY(mutex_);
  size_t allocated_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace kwta::cuda
