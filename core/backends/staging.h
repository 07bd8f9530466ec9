// Host arrays as arguments of a backend's operations.
#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"

namespace kwta {

// Whether exp and log1p of the backend may have other last bits than the host's.
inline bool HasOwnFunctions(const Backend& backend) { return !backend.host_accessible(); }

// A host array that an operation reads: the array itself if the backend reads host memory, otherwise a copy of it.
// REQUIRES: the array outlives the operations on it, and the backend outlives this.
class StagedInput {
 public:
  static absl::StatusOr<StagedInput> Create(Backend& backend, const void* host, size_t bytes);

  // Replaces the previous array. Reuses the memory of a copy.
  absl::Status Stage(Backend& backend, const void* host, size_t bytes);

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(address_);
  }

 private:
  const void* address_ = nullptr;
  Buffer copy_;
};

// A host array that an operation writes: the array itself if the backend writes host memory, otherwise backend memory
// that Finish copies to the array. The operation writes every element. REQUIRES: the array and the backend outlive it.
class StagedOutput {
 public:
  static absl::StatusOr<StagedOutput> Create(Backend& backend, void* host, size_t bytes);

  template <typename T>
  T* as() {
    return memory_.bytes() > 0 ? memory_.as<T>() : static_cast<T*>(host_);
  }

  // Copies the result to the host array. Call it once, after the operation.
  absl::Status Finish(Backend& backend);

 private:
  void* host_ = nullptr;
  Buffer memory_;
};

// Copies a host array into a new buffer of the backend.
absl::StatusOr<Buffer> CopyToBackend(Backend& backend, const void* host, size_t bytes);

// Makes `buffer` at least `bytes` long; its contents are lost if it grows.
absl::Status Reserve(Backend& backend, size_t bytes, Buffer* buffer);

}  // namespace kwta
