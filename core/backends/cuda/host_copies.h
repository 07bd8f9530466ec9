// Copies between any memory of the host and the device's, while the device computes.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/backends/cuda/device.h"

namespace kwta::cuda {

// Pinned buffers between the host's arrays and the queues of a device. A copy to the device returns once its bytes are
// in a buffer: they travel while earlier operations compute, into memory of this class, and reach their place in the
// order of the calls. A copy to the host waits for what was queued before it, not for what others queue meanwhile.
// Several threads may be under way at once. Thread-safe.
class HostCopies {
 public:
  explicit HostCopies(Device& device) : device_(device) {}
  ~HostCopies();
  HostCopies(const HostCopies&) = delete;
  HostCopies& operator=(const HostCopies&) = delete;

  // `operation` errors: RESOURCE_EXHAUSTED if there is no memory for a buffer; those of the device.
  absl::Status FromHost(const void* host, void* memory, size_t bytes);
  absl::Status ToHost(const void* memory, void* host, size_t bytes);

  // Bytes that travel at a time, at most.
  static constexpr size_t kMostBytes = size_t{4} << 20;
  // Buffers of each direction.
  static constexpr size_t kBuffers = 4;

 private:
  struct Buffer {
    char* pinned = nullptr;
    char* staged = nullptr;  // in the device's memory: of copies to it
    size_t bytes = 0;
    bool used = false;
    // The pinned bytes have travelled; the staged ones have reached their place.
    Event travelled = -1, arrived = -1;
  };

  // A buffer that nobody else has, for `bytes` bytes, whose last copy is done with its pinned memory.
  absl::StatusOr<Buffer*> Take(bool in, size_t bytes);
  absl::Status Prepare(bool in, size_t bytes, Buffer* buffer);
  void GiveBack(bool in, Buffer* buffer);
  absl::Status FromBuffer(Buffer& buffer, void* memory, size_t bytes);
  absl::Status ToBuffer(Buffer& buffer, const void* memory, size_t bytes);

  Device& device_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<Buffer>> buffers_ ABSL_GUARDED_BY(mutex_);
  std::deque<Buffer*> free_[2] ABSL_GUARDED_BY(mutex_);  // by direction; the one that was used longest ago first
  size_t made_[2] ABSL_GUARDED_BY(mutex_) = {};
};

}  // namespace kwta::cuda
