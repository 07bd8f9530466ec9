// Arrays in NumPy's npy files.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"

namespace kwta {

// A dense row-major array that somebody else owns.
struct ArrayView {
  DType dtype = DType::kF32;
  Shape shape;
  const void* data = nullptr;  // Null if there are no elements.
};

struct NpyFile {
  ArrayView array;
  std::shared_ptr<const void> storage;  // Keeps the elements alive.
};

// Maps an npy file (versions 1 to 3, C order, u8 and little-endian f32, f16, i32, i64); elements that are not aligned
// in the file are copied. Errors: INVALID_ARGUMENT saying what to do (another type, byte order or layout), DATA_LOSS
// (not npy, malformed, or more or fewer bytes than the shape needs), and what the file system gives
// (core/files/files.h).
absl::StatusOr<NpyFile> ReadNpy(const std::string& path);

// Writes an npy file (version 1) atomically. Errors: INVALID_ARGUMENT (bf16), and what the file system gives.
absl::Status WriteNpy(const std::string& path, const ArrayView& array);

}  // namespace kwta
