#include "tests/server/fake_encoder.h"

#include <utility>

namespace kwta::server {

absl::StatusOr<int64_t> FakeEncoder::ResolveK(const EncodeOptions& options) const {
  if (options.k > units_) return absl::InvalidArgumentError("k is larger than the units");
  return options.k > 0 ? options.k : 1;
}

absl::Status FakeEncoder::Encode(const RowsView& x, int64_t k, Codes* codes) const {
  batches.push_back(x.rows);
  if (on_batch) on_batch(x.rows);
  if (!failure.ok()) return failure;
  SparseCodes sparse;
  sparse.units = units_;
  for (int64_t row = 0; row < x.rows; ++row) {
    const float value = x.dtype == DType::kU8 ? static_cast<float>(*static_cast<const uint8_t*>(x.row(row)))
                                              : *static_cast<const float*>(x.row(row));
    for (int64_t unit = 0; unit < (dense ? 1 : k); ++unit) {
      sparse.indices.push_back(static_cast<int32_t>(unit));
      sparse.values.push_back(value);
    }
    sparse.row_offsets.push_back(sparse.entries());
  }
  if (dense) {
    sparse.ToDense(DenseIn(codes, x.rows, units_));
  } else {
    *codes = std::move(sparse);
  }
  return absl::OkStatus();
}

absl::Status FakeEncoder::Decode(const SparseCodes& codes, float* out) const {
  for (int64_t row = 0; row < codes.rows(); ++row) {
    for (int64_t column = 0; column < width_; ++column) *out++ = codes.values[codes.row_offsets[row]];
  }
  return absl::OkStatus();
}

FakeModel MakeFakeModel(const std::string& name, int64_t width, int64_t units, uint64_t version) {
  FakeModel model;
  model.encoder = std::make_shared<FakeEncoder>(width, units);
  auto served = std::make_shared<ServedModel>();
  served->name = name;
  served->version = version;
  served->encoder = model.encoder;
  model.served = std::move(served);
  return model;
}

}  // namespace kwta::server
