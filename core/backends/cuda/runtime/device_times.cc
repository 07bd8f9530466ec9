#include "core/backends/cuda/runtime/device_times.h"

namespace kwta::cuda {

DeviceTimes::~DeviceTimes() {
  absl::MutexLock lock(&mutex_);
  free_.insert(free_.end(), passing_.begin(), passing_.end());
  free_.insert(free_.end(), broken_.begin(), broken_.end());
  for (const Pair& pair : free_) {
    if (pair.first != nullptr) cudaEventDestroy(pair.first);
    if (pair.second != nullptr) cudaEventDestroy(pair.second);
  }
}

double DeviceTimes::Seconds() {
  absl::MutexLock lock(&mutex_);
  Collect();
  return seconds_;
}

cudaError_t DeviceTimes::Begin(cudaStream_t stream, Pair* pair) {
  Collect();
  if (!free_.empty()) {
    *pair = free_.back();
    free_.pop_back();
    return cudaEventRecord(pair->first, stream);
  }
  cudaError_t error = cudaEventCreate(&pair->first);
  if (error == cudaSuccess) error = cudaEventCreate(&pair->second);
  return error == cudaSuccess ? cudaEventRecord(pair->first, stream) : error;
}

void DeviceTimes::Collect() {
  // Two queues may share this: a later pair waits for an earlier one to be passed.
  while (!passing_.empty()) {
    const cudaError_t passed = cudaEventQuery(passing_.front().second);
    if (passed == cudaErrorNotReady) cudaGetLastError();  // which is no error of anybody's
    if (passed != cudaSuccess) return;
    float milliseconds = 0;
    if (cudaEventElapsedTime(&milliseconds, passing_.front().first, passing_.front().second) == cudaSuccess) {
      seconds_ += 1e-3 * static_cast<double>(milliseconds);
    }
    free_.push_back(passing_.front());
    passing_.pop_front();
  }
}

}  // namespace kwta::cuda
