// How long a device took for what it was told.
#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace kwta::cuda {

// Adds up the times between marks in queues, once the device has passed them. Thread-safe.
class DeviceTimes {
 public:
  ~DeviceTimes();

  // Times what `queue` puts on `stream`. Returns the error of `queue`, or that of a mark.
  template <typename Queue>
  cudaError_t Time(cudaStream_t stream, const Queue& queue) {
    absl::MutexLock lock(&mutex_);
    Pair pair;
    cudaError_t error = Begin(stream, &pair);
    if (error == cudaSuccess) error = queue();
    if (error == cudaSuccess) error = cudaEventRecord(pair.second, stream);
    if (error == cudaSuccess) {
      passing_.push_back(pair);
    } else {
      broken_.push_back(pair);
    }
    return error;
  }

  // Of what is done. Never waits. REQUIRES: the device is that of the calling thread.
  double Seconds();

 private:
  using Pair = std::pair<cudaEvent_t, cudaEvent_t>;

  cudaError_t Begin(cudaStream_t stream, Pair* pair) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Collect() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  double seconds_ ABSL_GUARDED_BY(mutex_) = 0;
  // Marks that the device has not passed yet, those that may be used again, and those of calls that failed.
  std::deque<Pair> passing_ ABSL_GUARDED_BY(mutex_);
  std::vector<Pair> free_ ABSL_GUARDED_BY(mutex_), broken_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kwta::cuda
