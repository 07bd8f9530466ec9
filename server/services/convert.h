// Converts messages to rows and codes to messages.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/encoders/encoder.h"
#include "core/tensors/codes.h"
#include "core/tensors/tensor.h"
#include "kwta/v1/service.pb.h"

namespace kwta::server {

// Rows that point into a message, or into `copy` if the message's bytes are not aligned for their elements or if some
// elements were replaced.
struct InputRows {
  RowsView view;
  Tensor copy;
  int64_t zeroed = 0;  // elements that were not finite and are zero now
};

// Converts `input` to rows for a model with rows of `width` elements; flattens dimensions after the first. `non_finite`
// says what happens to elements that are not finite. The message must outlive the result. Errors: INVALID_ARGUMENT
// naming the field, what was expected and got; for an element that is not finite, its row and column.
absl::StatusOr<InputRows> ConvertInput(const v1::Tensor& input, absl::string_view model, int64_t width,
                                       v1::NonFinite non_finite = v1::NON_FINITE_REFUSE);

// Errors: INVALID_ARGUMENT for a number that no NonFinite has.
absl::Status CheckNonFinite(v1::NonFinite non_finite);

// Returns the options exactly as set; Encoder::ResolveK says whether they make sense. Errors: INVALID_ARGUMENT if alpha
// or k is set and not positive.
absl::StatusOr<EncodeOptions> ConvertOptions(const v1::EncodeOptions& options);

// Returns the layout that `mode` means for this encoder, never OUTPUT_MODE_UNSPECIFIED. Errors: INVALID_ARGUMENT
// (unknown, or rectangular although the encoder's codes are dense).
absl::StatusOr<v1::OutputMode> ResolveOutput(v1::OutputMode mode, const Encoder& encoder);

// Checks, before anything is computed, that the answer to `rows` rows can be sent. `mode` is resolved.
// Errors: INVALID_ARGUMENT (an answer larger than max_bytes).
absl::Status CheckOutput(v1::OutputMode mode, int64_t rows, int64_t units, int64_t k, int64_t max_bytes);

// Sets the codes of `response` in the layout of `mode`, which is resolved. Reuses the memory of earlier codes in the
// same layout.
// Errors: FAILED_PRECONDITION if the rows have different numbers of entries and the layout is rectangular.
absl::Status ConvertCodes(const Codes& codes, v1::OutputMode mode, v1::EncodeResponse* response);

// Sets `message` to rows of f32.
void ConvertRows(const RowsView& rows, v1::Tensor* message);

}  // namespace kwta::server
