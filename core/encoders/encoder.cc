#include "core/encoders/encoder.h"

#include <utility>

#include "core/base/status_macros.h"

namespace kwta {

absl::Status Encoder::EncodeDense(const RowsView& x, int64_t k, float* out) const {
  Codes codes;
  KWTA_RETURN_IF_ERROR(Encode(x, k, &codes));
  ToDense(codes, out);
  return absl::OkStatus();
}

absl::Status Encoder::EncodeSparse(const RowsView& x, int64_t k, SparseCodes* codes) const {
  Codes made = std::move(*codes);
  const absl::Status status = Encode(x, k, &made);
  *codes = ToSparse(std::move(made));
  return status;
}

absl::Status Encoder::Reconstruct(const RowsView& x, int64_t k, float* out) const {
  SparseCodes activities;
  KWTA_RETURN_IF_ERROR(Activities(x, k, &activities));
  return DecodeActivities(activities, out);
}

absl::Status Encoder::Activities(const RowsView& x, int64_t k, SparseCodes* activities) const {
  return EncodeSparse(x, k, activities);
}

absl::Status Encoder::DecodeActivities(const SparseCodes& activities, float* out) const {
  return Decode(activities, out);
}

absl::StatusOr<TrainedRows> Encoder::ReconstructAsTrained(const RowsView&) const {
  return absl::UnimplementedError("this encoder does not say what training reconstructed; use Reconstruct");
}

}  // namespace kwta
