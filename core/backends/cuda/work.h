// The launches of one operation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "core/backends/cuda/device.h"
#include "core/backends/cuda/kernels/global.h"

namespace kwta::cuda {

// An array of the device, as kernels take it.
template <typename T>
Global<const T> In(const T* data, int64_t size) {
  return {data, data == nullptr ? 0 : size};
}
template <typename T>
Global<T> Out(T* data, int64_t size) {
  return {data, data == nullptr ? 0 : size};
}
template <typename T>
Global<const T> In(const Global<T>& array) {
  return {array.data, array.size};
}

// A whole number of warps for `count` elements, at most `most`.
inline int ThreadsFor(int64_t count, int most) {
  return static_cast<int>(std::clamp<int64_t>((count + kWarp - 1) / kWarp * kWarp, kWarp, most));
}

// Queues what an operation consists of, up to the first failure, and owns its temporary memory. Not thread-safe.
class Work {
 public:
  // `operation` names it in errors.
  Work(Device& device, absl::string_view operation) : device_(device), operation_(operation) {}
  ~Work() {
    for (void* memory : temporary_) device_.Free(memory);
  }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  Device& device() { return device_; }

  // Uninitialised memory until the operation is done.
  template <typename T>
  Global<T> Temporary(int64_t size) {
    return {static_cast<T*>(TemporaryBytes(size * static_cast<int64_t>(sizeof(T)))), size};
  }
  template <typename T>
  void Clear(const Global<T>& array) {
    if (array.size == 0 || !status_.ok()) return;
    Note(device_.Clear(array.data, static_cast<size_t>(array.size) * sizeof(T)));
  }

  template <typename Kernel>
  void Launch(int64_t blocks, int threads, const typename Kernel::Args& args) {
    if (blocks == 0 || !status_.ok()) return;
    Note(device_.Launch(Kernel::kId, blocks, threads, Kernel::SharedBytes(args, threads), &args));
  }
  // A thread for each of `count` elements.
  template <typename Kernel>
  void LaunchEach(int64_t count, const typename Kernel::Args& args) {
    const int threads = ThreadsFor(count, Kernel::kMaxThreads);
    Launch<Kernel>((count + threads - 1) / threads, threads, args);
  }
  void Bf16Product(const Bf16ProductArgs& args) {
    if (args.m == 0 || !status_.ok()) return;
    Note(device_.Bf16Product(args));
  }

  absl::Status Finish() { return status_; }

 private:
  void* TemporaryBytes(int64_t bytes);
  void Note(const absl::Status& status);

  Device& device_;
  const absl::string_view operation_;
  absl::Status status_;
  std::vector<void*> temporary_;
};

}  // namespace kwta::cuda
