// The header of an npy file (NumPy's format, versions 1 to 3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/tensors/tensor.h"

namespace kwta {

struct NpyHeader {
  std::string type_name;       // NumPy's, such as "<f8"
  size_t element_bytes = 4;    // in the file
  std::optional<DType> dtype;  // of the elements as stored; none if tensors have no such type
  Shape shape;
  uint64_t data_offset = 0;  // Bytes before the elements.
};

// Parses the start of an npy file. Only what NumPy writes is accepted; nothing is evaluated.
// Little-endian floats and integers of every size are known. Errors: DATA_LOSS (not npy, cut short, malformed),
// INVALID_ARGUMENT saying what to do (a type, byte order or memory layout that is not supported).
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view file);

// NumPy's name for a type, such as "<f4". Errors: INVALID_ARGUMENT for bf16, which NumPy has not.
absl::StatusOr<std::string> NpyTypeName(DType dtype);

// The bytes before the elements of a C-ordered array (version 1); a multiple of 64.
std::string FormatNpyHeader(absl::string_view type_name, const Shape& shape);

}  // namespace kwta
