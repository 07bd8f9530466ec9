// NumPy's npy files.
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/files/mapped_file.h"
#include "core/tensors/tensor.h"

namespace kwta {

// A dense row-major array. The view does not own it.
struct ArrayView {
  DType dtype = DType::kF32;
  Shape shape;
  const void* data = nullptr;  // Null if there are no elements.
};

struct NpyFile {
  ArrayView array;
  std::shared_ptr<const void> storage;       // Keeps the elements alive.
  std::shared_ptr<const MappedFile> mapped;  // The file that holds the elements; null if they are a copy.
  std::string note;  // How the elements were converted, for whoever supplied the file; or empty.
};

// Maps an npy file (versions 1 to 3, C order, u8 and little-endian f32, f16, i32, i64). Copies elements that the file
// does not align. The elements of a mapped file are valid as long as mapped->CheckUnchanged() succeeds. Errors:
// INVALID_ARGUMENT saying what to do (another type, byte order or layout), DATA_LOSS (not npy, malformed, or more or
// fewer bytes than the shape needs), and file-system errors (core/files/files.h).
absl::StatusOr<NpyFile> ReadNpy(const std::string& path);

struct NpyForm {
  Shape shape;
  std::string element_type;  // the name of a DType, or NumPy's ("<f8") if only ReadNpyRows takes it
};

// Reads the header of an npy file of any known type and checks it against the file's length. Errors: as ReadNpy.
absl::StatusOr<NpyForm> ReadNpyForm(const std::string& path);

// Reads an npy file as rows of a data set. u8, f16 and f32 stay as in ReadNpy. f64 becomes the nearest f32, and
// integers of other types become f32, in memory; the note says so. Errors also: INVALID_ARGUMENT if an element does not
// fit (an integer that equals no f32, an f64 beyond the range of f32), or if the array takes more than kMaxDatasetBytes
// in memory.
absl::StatusOr<NpyFile> ReadNpyRows(const std::string& path);

// Writes an npy file (version 1) atomically. Errors: INVALID_ARGUMENT (bf16), and file-system errors.
absl::Status WriteNpy(const std::string& path, const ArrayView& array);

}  // namespace kwta
