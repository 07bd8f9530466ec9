// A device that fails when it is told to.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device_errors.h"
#include "tests/core/backends/cuda/emulation/emulated_device.h"

namespace kwta::cuda {

// The emulated device behind the error handling that the CUDA device has: a kernel that fails does so unseen, and the
// next call that waits says it. Thread-safe.
class FaultyDevice final : public Device {
 public:
  explicit FaultyDevice(const EmulationOptions& options = {}) : emulated_(options) {}
  ~FaultyDevice() override = default;

  // Calls from now on, from 1; 0: never.
  std::atomic<int64_t> fail_allocation{0};
  std::atomic<int64_t> fail_launch{0};
  std::atomic<int64_t> lose_at_call{0};
  std::atomic<int64_t> allocations{0}, launches{0}, calls{0};
  // While set, no allocation succeeds; copies to the host have a bit that is wrong.
  std::atomic<bool> out_of_memory{false}, flips_bits{false};
  size_t living() const {
    absl::MutexLock lock(&mutex_);
    return living_.size();
  }

  const DeviceFacts& facts() const override { return emulated_.facts(); }
  DeviceReport report() const override {
    DeviceReport report = emulated_.report();
    report.device = errors_.device();
    report.failure = errors_.failure();
    return report;
  }
  absl::StatusOr<void*> Allocate(size_t bytes) override {
    if (absl::Status status = Enter("Allocate"); !status.ok()) return status;
    if (++allocations == fail_allocation || out_of_memory) {
      return absl::ResourceExhaustedError(absl::StrCat("no memory for ", bytes));
    }
    absl::StatusOr<void*> memory = emulated_.Allocate(bytes);
    absl::MutexLock lock(&mutex_);
    if (memory.ok()) living_.insert(*memory);
    return memory;
  }
  void Free(void* memory) override {
    {
      absl::MutexLock lock(&mutex_);
      living_.erase(memory);
    }
    emulated_.Free(memory);
  }
  absl::Status Clear(void* memory, size_t bytes) override {
    if (absl::Status status = Enter("Clear"); !status.ok()) return status;
    return emulated_.Clear(memory, bytes);
  }
  absl::Status CopyFromHost(const void* host, void* memory, size_t bytes) override {
    if (absl::Status status = Waits("CopyFromHost"); !status.ok()) return status;
    return emulated_.CopyFromHost(host, memory, bytes);
  }
  absl::Status CopyToHost(const void* memory, void* host, size_t bytes) override {
    if (absl::Status status = Waits("CopyToHost"); !status.ok()) return status;
    absl::Status status = emulated_.CopyToHost(memory, host, bytes);
    if (flips_bits) *static_cast<unsigned char*>(host) ^= 1;
    return status;
  }
  absl::Status Wait() override { return Waits("Wait"); }
  absl::Status Launch(KernelId kernel, int64_t blocks, int threads, int64_t shared_bytes, const void* args) override {
    if (absl::Status status = Enter("a kernel"); !status.ok()) return status;
    if (++launches == fail_launch) kernel_failed_ = true;
    return kernel_failed_ ? absl::OkStatus() : emulated_.Launch(kernel, blocks, threads, shared_bytes, args);
  }
  bool has_products() override { return emulated_.has_products(); }
  absl::Status Bf16Product(const Bf16ProductArgs& args) override {
    if (absl::Status status = Enter("bf16_product"); !status.ok()) return status;
    return emulated_.Bf16Product(args);
  }

 private:
  absl::Status Enter(const char* operation) {
    if (absl::Status status = errors_.Enter(operation); !status.ok()) return status;
    return ++calls == lose_at_call ? errors_.Lost("it fell off the bus") : absl::OkStatus();
  }
  absl::Status Waits(const char* operation) {
    if (absl::Status status = Enter(operation); !status.ok()) return status;
    return kernel_failed_ ? errors_.Failed("an illegal address") : absl::OkStatus();
  }

  EmulatedDevice emulated_;
  DeviceErrors errors_{"device 0"};
  std::atomic<bool> kernel_failed_{false};
  mutable absl::Mutex mutex_;
  std::set<void*> living_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::cuda
