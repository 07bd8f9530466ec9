#include "core/encoders/encoder.h"

#include "core/base/status_macros.h"

namespace kwta {

absl::Status Encoder::EncodeDense(const RowsView& x, int64_t k, float* out) const {
  SparseCodes codes;
  KWTA_RETURN_IF_ERROR(Encode(x, k, &codes));
  codes.ToDense(out);
  return absl::OkStatus();
}

absl::Status Encoder::Reconstruct(const RowsView& x, int64_t k, float* out) const {
  SparseCodes codes;
  KWTA_RETURN_IF_ERROR(Encode(x, k, &codes));
  return Decode(codes, out);
}

}  // namespace kwta
