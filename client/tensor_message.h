// Converts arrays between memory and messages.
#pragma once

#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/tensor.pb.h"

namespace kwta::client {

// Converts rows to a message of shape [rows, width] with elements as raw bytes.
// Errors: INVALID_ARGUMENT if there are no rows, or if the service does not take the dtype (u8, f16, bf16, f32 only).
absl::Status ToMessage(const RowsView& rows, v1::Tensor* message);

// Returns the elements of a dense reply, which must be DTYPE_F32 of shape [rows, width]. The elements may be unaligned
// and live as long as `message`. Errors: INTERNAL if the reply is anything else.
absl::StatusOr<const void*> DenseElements(const v1::Tensor& message, int64_t rows, int64_t width);

}  // namespace kwta::client
