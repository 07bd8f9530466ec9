// Host arrays as arguments of a backend's operations.
#pragma once

#include <cstddef>
#include <utility>

#include "core/backends/backend.h"
#include "core/base/status_macros.h"

namespace kwta {

// A host array that an operation reads: the array itself if the backend reads host memory, else a copy of it.
// REQUIRES: the array and the backend outlive it.
class StagedInput {
 public:
  static absl::StatusOr<StagedInput> Create(Backend& backend, const void* host, size_t bytes) {
    StagedInput staged;
    staged.address_ = host;
    if (!backend.host_accessible()) {
      KWTA_ASSIGN_OR_RETURN(staged.copy_, backend.Allocate(bytes));
      KWTA_RETURN_IF_ERROR(backend.CopyFromHost(host, staged.copy_.as<void>(), bytes));
      staged.address_ = staged.copy_.as<void>();
    }
    return staged;
  }

  template <typename T>
  const T* as() const {
    return static_cast<const T*>(address_);
  }

 private:
  const void* address_ = nullptr;
  Buffer copy_;
};

// A host array that an operation writes: the array itself if the backend writes host memory, else memory of the backend
// that Finish copies to the array. REQUIRES: the array and the backend outlive it.
class StagedOutput {
 public:
  static absl::StatusOr<StagedOutput> Create(Backend& backend, void* host, size_t bytes) {
    StagedOutput staged;
    staged.host_ = host;
    if (!backend.host_accessible()) {
      KWTA_ASSIGN_OR_RETURN(staged.memory_, backend.Allocate(bytes));
    }
    return staged;
  }

  template <typename T>
  T* as() {
    return memory_.bytes() > 0 ? memory_.as<T>() : static_cast<T*>(host_);
  }

  // Brings what was written to the host array. To be called once, after the operation.
  absl::Status Finish(Backend& backend) {
    if (memory_.bytes() == 0) return absl::OkStatus();
    return backend.CopyToHost(memory_.as<void>(), host_, memory_.bytes());
  }

 private:
  void* host_ = nullptr;
  Buffer memory_;
};

// A new buffer of the backend with a copy of a host array.
inline absl::StatusOr<Buffer> CopyToBackend(Backend& backend, const void* host, size_t bytes) {
  KWTA_ASSIGN_OR_RETURN(Buffer buffer, backend.Allocate(bytes));
  KWTA_RETURN_IF_ERROR(backend.CopyFromHost(host, buffer.as<void>(), bytes));
  return buffer;
}

}  // namespace kwta
