// The device on which a server encodes: the budget of its models, what it does now, and whether it still works.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/backend.h"

namespace kwta::server {

// What happens if the device's memory does not suffice for a model or for a batch.
enum class WhenDeviceIsFull {
  kCompute,  // the processor computes
  kRefuse,   // RESOURCE_EXHAUSTED
};

// A snapshot, for metrics and status.
struct DeviceState {
  std::string name;          // for people
  absl::Status failure;      // not OK: nothing computes there any more
  int64_t memory_bytes = 0;  // of the device
  int64_t used_bytes = 0;    // by this server
  int64_t models_bytes = 0;  // reserved for models, and the most that may be
  int64_t models_bytes_limit = 0;
  int64_t batches_in_flight = 0;
  uint64_t batches = 0;  // computed there since the start
  // Batches of placed models that the processor computed instead: the device had no memory; it failed.
  uint64_t full_fallbacks = 0, failure_fallbacks = 0;
  double copy_seconds = 0, kernel_seconds = 0;
};

// Thread-safe.
class ServingDevice {
 public:
  // Called once, by the thread that notices, when the device has failed. Must not call back. May be empty.
  using Failed = std::function<void(const absl::Status& failure)>;

  // `memory_bytes` is the budget of models; 0: four fifths of what is free now. REQUIRES: the backend computes on a
  // device.
  ServingDevice(std::shared_ptr<Backend> backend, int64_t memory_bytes, WhenDeviceIsFull when_full, Failed failed);
  ServingDevice(const ServingDevice&) = delete;
  ServingDevice& operator=(const ServingDevice&) = delete;

  const std::shared_ptr<Backend>& backend() const { return backend_; }
  const std::string& name() const { return name_; }
  int64_t memory_bytes() const { return memory_bytes_; }
  WhenDeviceIsFull when_full() const { return when_full_; }

  // Not OK once the device has failed. Cheap while it works.
  bool works() const { return works_.load(std::memory_order_acquire); }
  absl::Status failure() const;

  // Takes `bytes` of the budget; returns false if fewer are left. Release gives them back.
  bool Reserve(int64_t bytes);
  void Release(int64_t bytes);
  int64_t reserved() const;

  // Runs `compute`, which computes a batch on the device, and returns its answer. Returns nullopt if the processor is
  // to compute the batch instead: the device has failed, or has no memory and when_full() is kCompute. With kRefuse,
  // lack of memory is RESOURCE_EXHAUSTED with a RetryAfter.
  std::optional<absl::Status> Compute(const std::function<absl::Status()>& compute);
  // Records that the processor computed a batch of a placed model because the device has failed.
  void FellBack() { failure_fallbacks_.fetch_add(1, std::memory_order_relaxed); }
  // Asks the backend whether the device has failed. Returns failure().
  absl::Status CheckFailure();

  DeviceState State();

 private:
  const std::shared_ptr<Backend> backend_;
  const std::string name_;
  const int64_t memory_bytes_;
  const WhenDeviceIsFull when_full_;
  const Failed failed_;
  std::atomic<bool> works_{true};
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> batches_{0}, full_fallbacks_{0}, failure_fallbacks_{0};
  mutable absl::Mutex mutex_;
  int64_t reserved_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::server
