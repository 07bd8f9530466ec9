#include "core/encoders/encoder.h"

#include <algorithm>
#include <utility>

#include "core/base/row_blocks.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int64_t kActivityBytes = int64_t{16} << 20;  // that Reconstruct holds at a time

}  // namespace

absl::Status Encoder::EncodeDense(const RowsView& x, int64_t k, float* out) const {
  Codes codes;
  KWTA_RETURN_IF_ERROR(Encode(x, k, &codes));
  ToDense(codes, out);
  return absl::OkStatus();
}

absl::Status Encoder::EncodeSparse(const RowsView& x, int64_t k, SparseCodes* codes) const {
  Codes made = std::move(*codes);
  absl::Status status = Encode(x, k, &made);
  *codes = ToSparse(std::move(made));
  return status;
}

absl::Status Encoder::Reconstruct(const RowsView& x, int64_t k, float* out) const {
  constexpr int64_t kEntryBytes = sizeof(int32_t) + sizeof(float);
  const int64_t part = std::max<int64_t>(1, kActivityBytes / (kEntryBytes * std::max<int64_t>(1, row_activities(k))));
  SparseCodes activities;
  return ForEachRowBlock(x.rows, part, [&](int64_t begin, int64_t rows) {
    KWTA_RETURN_IF_ERROR(Activities(x.Slice(begin, rows), k, &activities));
    return DecodeActivities(activities, out + begin * reconstruction_width());
  });
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
