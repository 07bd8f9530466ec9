// Arrays in NumPy's npy files.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/files/mapped_file.h"
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
  std::shared_ptr<const void> storage;       // Keeps the elements alive.
  std::shared_ptr<const MappedFile> mapped;  // What the elements lie in; null if they are a copy.
  std::string note;                          // What was done to the elements, for whoever gave the file; or empty.
};

// Maps an npy file (versions 1 to 3, C order, u8 and little-endian f32, f16, i32, i64); elements that are not aligned
// in the file are copied. Errors: INVALID_ARGUMENT saying what to do (another type, byte order or layout), DATA_LOSS
// (not npy, malformed, or more or fewer bytes than the shape needs), and what the file system gives
// (core/files/files.h). The elements of a mapped file are good for as long as mapped->CheckUnchanged() says so.
absl::StatusOr<NpyFile> ReadNpy(const std::string& path);

// The shape of an npy file of any type that is known, checked against its length. Errors: as ReadNpy.
absl::StatusOr<Shape> ReadNpyShape(const std::string& path);

// An npy file as rows of a data set: u8, f16 and f32 as ReadNpy gives them; f64 as the nearest f32, and integers of
// other types as f32, in memory, which the note says. Errors also: INVALID_ARGUMENT if an element does not fit (an
// integer that no f32 is equal to, an f64 beyond the range of f32), or the array is larger than kMaxDatasetBytes in
// memory.
absl::StatusOr<NpyFile> ReadNpyRows(const std::string& path);

// Writes an npy file (version 1) atomically. Errors: INVALID_ARGUMENT (bf16), and what the file system gives.
absl::Status WriteNpy(const std::string& path, const ArrayView& array);

}  // namespace kwta
