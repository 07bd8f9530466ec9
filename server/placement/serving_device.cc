#include "server/placement/serving_device.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/refusal.h"
#include "server/retry_after.h"

namespace kwta::server {
namespace {

// A batch takes milliseconds, and gives its memory back.
constexpr absl::Duration kFullDevicePause = absl::Milliseconds(100);

// Batches need the rest.
int64_t DefaultBudget(const DeviceReport& report) { return report.free_bytes / 5 * 4; }

}  // namespace

ServingDevice::ServingDevice(std::shared_ptr<Backend> backend, int64_t memory_bytes, WhenDeviceIsFull when_full,
                             Failed failed)
    : backend_(std::move(backend)),
      name_(backend_->device_report()->device),
      memory_bytes_(memory_bytes > 0 ? memory_bytes : DefaultBudget(*backend_->device_report())),
      when_full_(when_full),
      failed_(std::move(failed)) {}

absl::Status ServingDevice::failure() const {
  if (works()) return absl::OkStatus();
  absl::MutexLock lock(&mutex_);
  return failure_;
}

bool ServingDevice::Reserve(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  if (bytes > memory_bytes_ - reserved_) return false;
  reserved_ += bytes;
  return true;
}

void ServingDevice::Release(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  reserved_ -= bytes;
}

int64_t ServingDevice::reserved() const {
  absl::MutexLock lock(&mutex_);
  return reserved_;
}

std::optional<absl::Status> ServingDevice::Compute(const std::function<absl::Status()>& compute) {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  absl::Status status;
  {
    const absl::Cleanup landed = [this] { in_flight_.fetch_sub(1, std::memory_order_relaxed); };
    status = compute();
  }
  if (status.ok()) {
    batches_.fetch_add(1, std::memory_order_relaxed);
    return status;
  }
  if (!CheckFailure().ok()) {
    FellBack();
    return std::nullopt;
  }
  if (!absl::IsResourceExhausted(status)) return status;  // what the processor would say too
  if (when_full_ == WhenDeviceIsFull::kCompute) {
    full_fallbacks_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  }
  return Refused(Refusal::kDeviceMemory,
                 WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat(
                                    "the device has no memory for this batch, and the processor does not stand in ",
                                    "(--device-full): ", status.message())),
                                kFullDevicePause));
}

absl::Status ServingDevice::CheckFailure() {
  if (!works()) return failure();
  absl::Status failure = backend_->device_report()->failure;
  if (failure.ok()) return failure;
  {
    absl::MutexLock lock(&mutex_);
    if (!failure_.ok()) return failure_;  // another thread has noticed
    failure_ = failure;
    works_.store(false, std::memory_order_release);
  }
  if (failed_) failed_(failure);
  return failure;
}

DeviceState ServingDevice::State() {
  const DeviceReport report = *backend_->device_report();
  DeviceState state;
  state.name = name_;
  state.failure = CheckFailure();
  state.memory_bytes = report.memory_bytes;
  state.used_bytes = report.used_bytes;
  state.models_bytes = reserved();
  state.models_bytes_limit = memory_bytes_;
  state.batches_in_flight = in_flight_.load(std::memory_order_relaxed);
  state.batches = batches_.load(std::memory_order_relaxed);
  state.full_fallbacks = full_fallbacks_.load(std::memory_order_relaxed);
  state.failure_fallbacks = failure_fallbacks_.load(std::memory_order_relaxed);
  state.copy_seconds = report.copy_seconds;
  state.kernel_seconds = report.kernel_seconds;
  return state;
}

}  // namespace kwta::server
