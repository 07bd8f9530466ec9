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
  std::optional<DType> dtype;  // of the elements as stored; none if DType has no such type
  Shape shape;
  uint64_t data_offset = 0;  // Bytes before the elements.
};

// Parses the start of an npy file. Accepts only what NumPy writes and evaluates nothing. Knows little-endian floats and
// integers of every size. Errors: DATA_LOSS (not npy, cut short, malformed), INVALID_ARGUMENT saying what to do (an
// unsupported type, byte order or memory layout).
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view file);

// Returns NumPy's name for a type, such as "<f4". Errors: INVALID_ARGUMENT for bf16, which NumPy lacks.
absl::StatusOr<std::string> NpyTypeName(DType dtype);

// Returns the bytes before the elements of a C-ordered array (version 1). Their number is a multiple of 64.
std::string FormatNpyHeader(absl::string_view type_name, const Shape& shape);

}  // namespace kwta
