// The size of an array whose extents come from a file.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "core/base/checked_math.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Returns the bytes of an array. Returns nullopt if an extent is negative or any partial product of the extents does
// not fit into int64, so that a later extent of zero cannot hide an overflow.
inline std::optional<uint64_t> ArrayBytes(DType dtype, const Shape& shape) {
  uint64_t bytes = DTypeSize(dtype);
  for (int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    const std::optional<uint64_t> product = CheckedMultiply(bytes, static_cast<uint64_t>(extent));
    if (!product || *product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    bytes = *product;
  }
  return bytes;
}

}  // namespace kwta
