// A device that fails when it is told to.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

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
  // While set, the library has no products in binary32; how many it was asked for.
  std::atomic<bool> refuses_products{false};
  std::atomic<int64_t> refused_products{0};
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
    if (absl::Status status = Enter(); !status.ok()) return status;
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
    if (!errors_.failure().ok()) emulated_.Drain().IgnoreError();
    emulated_.Free(memory);
  }
  absl::StatusOr<void*> AllocateHost(size_t bytes) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    return emulated_.AllocateHost(bytes);
  }
  void FreeHost(void* memory) override { emulated_.FreeHost(memory); }
  absl::StatusOr<Event> CreateEvent() override { return emulated_.CreateEvent(); }
  absl::Status Record(Event event, Stream stream) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    {
      absl::MutexLock lock(&mutex_);
      marks_[event] = errors_.last();
    }
    return emulated_.Record(event, stream);
  }
  absl::Status WaitFor(Stream stream, Event event) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    return emulated_.WaitFor(stream, event);
  }
  absl::Status Wait(Event event) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    if (kernel_failed_) return errors_.Failed("an illegal address");
    if (absl::Status status = emulated_.Wait(event); !status.ok()) return status;
    absl::MutexLock lock(&mutex_);
    errors_.Done(marks_[event]);
    return absl::OkStatus();
  }
  absl::Status Copy(Stream stream, const void* from, void* to, size_t bytes) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    errors_.Queued("a copy");
    if (kernel_failed_) return absl::OkStatus();
    absl::Status status = emulated_.Copy(stream, from, to, bytes);
    if (flips_bits && stream == Stream::kCopyOut) {
      status.Update(emulated_.Drain());
      *static_cast<unsigned char*>(to) ^= 1;
    }
    return status;
  }
  absl::Status Submit(const char* operation, const std::vector<Command>& commands) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    errors_.Queued(operation);
    const auto count = static_cast<int64_t>(commands.size());
    const int64_t before = launches.fetch_add(count), fail = fail_launch;
    if (before < fail && fail <= before + count) kernel_failed_ = true;
    return kernel_failed_ ? absl::OkStatus() : emulated_.Submit(operation, commands);
  }
  bool has_products() override { return emulated_.has_products(); }
  absl::Status Bf16Product(const char* operation, const Bf16ProductArgs& args) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    errors_.Queued(operation);
    return kernel_failed_ ? absl::OkStatus() : emulated_.Bf16Product(operation, args);
  }
  absl::Status FloatProduct(const char* operation, const FloatProductArgs& args) override {
    if (absl::Status status = Enter(); !status.ok()) return status;
    if (refuses_products) {
      ++refused_products;
      return absl::UnimplementedError("no product of these sizes");
    }
    errors_.Queued(operation);
    return kernel_failed_ ? absl::OkStatus() : emulated_.FloatProduct(operation, args);
  }

 private:
  absl::Status Enter() {
    if (absl::Status status = errors_.failure(); !status.ok()) return status;
    return ++calls == lose_at_call ? errors_.Lost("it fell off the bus") : absl::OkStatus();
  }

  EmulatedDevice emulated_;
  DeviceErrors errors_{"device 0"};
  std::atomic<bool> kernel_failed_{false};
  mutable absl::Mutex mutex_;
  std::map<Event, int64_t> marks_ ABSL_GUARDED_BY(mutex_);
  std::set<void*> living_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::cuda
