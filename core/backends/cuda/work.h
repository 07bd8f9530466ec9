// The launches of one operation.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
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

// What a device launches at a time.
inline constexpr int64_t kMostBlocks = std::numeric_limits<int32_t>::max();

// RESOURCE_EXHAUSTED: an operation needs more of something than the kernels can number.
absl::Status TooLarge(absl::string_view what, int64_t wanted, int64_t most);

// Collects what an operation consists of, up to the first failure, queues it, and owns its temporary memory. Not
// thread-safe. REQUIRES: Finish is called.
class Work {
 public:
  // `operation` names it in errors, and lives as long as the program.
  Work(Device& device, const char* operation) : device_(device), operation_(operation) {}
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
    Command clear;
    clear.memory = array.data;
    clear.bytes = static_cast<size_t>(array.size) * sizeof(T);
    commands_.push_back(std::move(clear));
  }

  // Nothing is queued from now on: the operation has this error, unless it has another one.
  void Refuse(const absl::Status& error) { Note(error); }

  template <typename Kernel>
  void Launch(int64_t blocks, int threads, const typename Kernel::Args& args) {
    if (blocks > kMostBlocks) Refuse(TooLarge("blocks of a kernel", blocks, kMostBlocks));
    if (blocks == 0 || !status_.ok()) return;
    commands_.push_back(LaunchOf<Kernel>(blocks, threads, args));
  }
  // A thread for each of `count` elements.
  template <typename Kernel>
  void LaunchEach(int64_t count, const typename Kernel::Args& args) {
    const int threads = ThreadsFor(count, Kernel::kMaxThreads);
    Launch<Kernel>((count + threads - 1) / threads, threads, args);
  }
  void Bf16Product(const Bf16ProductArgs& args) {
    if (args.m == 0) return;
    Submit();
    if (status_.ok()) Note(device_.Bf16Product(operation_, args));
  }
  // Returns false if the device's library has no product of these sizes: it is still to be done.
  bool FloatProduct(const FloatProductArgs& args) {
    Submit();
    if (!status_.ok()) return true;
    const absl::Status status = device_.FloatProduct(operation_, args);
    if (absl::IsUnimplemented(status)) return false;
    Note(status);
    return true;
  }

  // Queues what has not been. The first failure.
  absl::Status Finish() {
    Submit();
    return status_;
  }

 private:
  void* TemporaryBytes(int64_t bytes);
  void Submit();
  void Note(const absl::Status& status);

  Device& device_;
  const char* const operation_;
  absl::Status status_;
  std::vector<Command> commands_;
  std::vector<void*> temporary_;
};

}  // namespace kwta::cuda
