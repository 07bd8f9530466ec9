// Arrays of the check's problems.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/backends/backend.h"
#include "core/base/rng.h"

namespace kwta::cuda {

inline std::vector<float> Normals(int64_t count, uint64_t seed, double deviation = 1) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(deviation * rng.Gaussian());
  return values;
}

// The arrays of one problem in a backend's memory. Keeps the first error, after which addresses mean nothing.
class Arrays {
 public:
  explicit Arrays(Backend& backend) : backend_(backend) {}

  template <typename T>
  T* Add(const std::vector<T>& values) {
    const size_t bytes = values.size() * sizeof(T);
    absl::StatusOr<Buffer> buffer = AllocateZeroed(backend_, bytes);
    status_.Update(buffer.status());
    if (!status_.ok()) return nullptr;
    status_.Update(backend_.CopyFromHost(values.data(), buffer->as<void>(), bytes));
    buffers_.push_back(*std::move(buffer));
    return buffers_.back().as<T>();
  }
  template <typename T>
  std::vector<T> Read(const T* array, int64_t count) {
    std::vector<T> values(static_cast<size_t>(count));
    if (status_.ok()) status_.Update(backend_.CopyToHost(array, values.data(), values.size() * sizeof(T)));
    return values;
  }
  const absl::Status& status() const { return status_; }
  void Note(const absl::Status& status) { status_.Update(status); }

 private:
  Backend& backend_;
  absl::Status status_;
  std::vector<Buffer> buffers_;
};

}  // namespace kwta::cuda
