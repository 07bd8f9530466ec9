// Files in the idx format of the MNIST family: two zero bytes, the type, the number of dimensions, big-endian extents,
// elements.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Reads a raw or gzip-compressed idx file (told apart by content) of unsigned bytes (U8) or of floats (F32).
// Errors: INVALID_ARGUMENT (another element type; more than `max_bytes` bytes of elements), DATA_LOSS (not idx,
// truncated, corrupt, or of impossible extents), and what the file system gives (core/files/files.h). Memory is
// allocated only for what a file of that length can hold.
absl::StatusOr<Tensor> ReadIdx(const std::string& path, uint64_t max_bytes);

// Its extents. Only the first bytes are read. Errors: as ReadIdx.
absl::StatusOr<Shape> ReadIdxShape(const std::string& path, uint64_t max_bytes);

}  // namespace kwta
