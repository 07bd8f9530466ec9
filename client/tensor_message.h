// Arrays between memory and messages.
#pragma once

#include "absl/status/statusor.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/tensor.pb.h"

namespace kwta::client {

// Rows as a message of shape [rows, width], elements as raw bytes.
// Errors: INVALID_ARGUMENT if there are no rows, or the dtype is none that the service takes (u8, f16, bf16, f32).
absl::Status ToMessage(const RowsView& rows, v1::Tensor* message);

// A dense reply, which must be DTYPE_F32 of shape [rows, width]. Returns its elements, not
// necessarily aligned, which live as long as `message`.
// Errors: INTERNAL if it is anything else.
absl::StatusOr<const void*> DenseElements(const v1::Tensor& message, int64_t rows, int64_t width);

}  // namespace kwta::client
