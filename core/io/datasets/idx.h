// The MNIST family's idx format: two zero bytes, the type, the number of dimensions, big-endian extents, elements.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Reads a raw or gzip-compressed idx file of unsigned bytes (U8) or of floats (F32). The content tells whether it is
// compressed. Allocates memory only for what a file of that length can hold. Errors: INVALID_ARGUMENT (another element
// type; more than `max_bytes` bytes of elements), DATA_LOSS (not idx, truncated, corrupt, or of impossible extents),
// and file-system errors (core/files/files.h).
absl::StatusOr<Tensor> ReadIdx(const std::string& path, uint64_t max_bytes);

struct IdxHeader {
  DType dtype = DType::kU8;
  Shape shape;
};

// Reads the first bytes alone. Errors: as ReadIdx.
absl::StatusOr<IdxHeader> ReadIdxHeader(const std::string& path, uint64_t max_bytes);

}  // namespace kwta
