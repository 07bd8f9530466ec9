#include "client/tensor_message.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "core/base/checked_math.h"
#include "core/base/status_macros.h"

namespace kwta::client {
namespace {

absl::StatusOr<v1::DType> MessageDType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return v1::DTYPE_F32;
    case DType::kU8:
      return v1::DTYPE_U8;
    case DType::kF16:
      return v1::DTYPE_F16;
    case DType::kBF16:
      return v1::DTYPE_BF16;
    case DType::kI32:
    case DType::kI64:
      break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("rows of ", DTypeName(dtype), " cannot be sent; convert them to u8, f16, bf16 or f32"));
}

}  // namespace

absl::Status ToMessage(const RowsView& rows, v1::Tensor* message) {
  if (rows.rows < 1 || rows.width < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the input is ", rows.rows, " x ", rows.width, "; expected at least one row and one column"));
  }
  KWTA_ASSIGN_OR_RETURN(const v1::DType dtype, MessageDType(rows.dtype));
  message->set_dtype(dtype);
  message->clear_shape();
  message->add_shape(rows.rows);
  message->add_shape(rows.width);
  message->set_raw(rows.data, static_cast<size_t>(rows.rows) * rows.row_bytes());
  return absl::OkStatus();
}

absl::StatusOr<const void*> DenseElements(const v1::Tensor& message, int64_t rows, int64_t width) {
  const bool shaped = message.shape_size() == 2 && message.shape(0) == rows && message.shape(1) == width;
  const bool f32 = message.dtype() == v1::DTYPE_F32 || message.dtype() == v1::DTYPE_UNSPECIFIED;
  const auto elements = CheckedMultiply(rows, width);
  const bool raw = message.floats().empty();
  const uint64_t held = raw ? message.raw().size() / sizeof(float) : message.floats_size();
  if (!shaped || !f32 || !elements || held != *elements || (raw && message.raw().size() % sizeof(float) != 0)) {
    return absl::InternalError(absl::StrCat("the server's reply is no f32 array of ", rows, " x ", width,
                                            "; is it a kwta-server of another version?"));
  }
  if (raw) return static_cast<const void*>(message.raw().data());
  return static_cast<const void*>(message.floats().data());
}

}  // namespace kwta::client
