// An encoder whose codes tell which row they are of, and a model that serves it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/encoders/encoder.h"
#include "server/models/model_manager.h"

namespace kwta::server {

// The code of a row is units 0 .. k-1, each with the row's first element as its value. Rows of every dtype are taken as
// arrays of floats or, for u8, of bytes. Not for use by several threads at a time.
class FakeEncoder : public Encoder {
 public:
  FakeEncoder(int64_t width, int64_t units) : width_(width), units_(units) {}

  int64_t input_width() const override { return width_; }
  int64_t code_width() const override { return units_; }
  int64_t parameter_bytes() const override { return 4 * width_ * units_; }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions& options) const override;
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override;
  // Every element of a row is the value of its first entry.
  absl::Status Decode(const SparseCodes& codes, float* out) const override;

  // Codes are then dense, k being the units: those of a row are its first element, then zeros.
  bool dense = false;
  bool dense_codes() const override { return dense; }

  // What Encode answers instead of codes, unless OK.
  absl::Status failure;
  // Told the rows of each call of Encode. May be empty.
  std::function<void(int64_t rows)> on_batch;
  // Rows of each call of Encode.
  mutable std::vector<int64_t> batches;

 private:
  const int64_t width_;
  const int64_t units_;
};

struct FakeModel {
  std::shared_ptr<FakeEncoder> encoder;
  ServedModelPtr served;
};
FakeModel MakeFakeModel(const std::string& name, int64_t width, int64_t units, uint64_t version = 1);

}  // namespace kwta::server
