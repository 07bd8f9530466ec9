// Rows of bytes, for the tests of their products and of quantised atoms.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/byte_product.h"
#include "core/base/rng.h"

namespace kwta::onednn::codes {

inline std::vector<float> Gaussians(int64_t count, uint64_t seed, double sigma = 1) {
  Rng rng(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(sigma * rng.Gaussian());
  return values;
}

// A block of rows as score_tile takes it.
class TestRows {
 public:
  TestRows(const ByteKernels& kernels, const std::vector<float>& x, int64_t width, int64_t step_quads)
      : rows_(static_cast<int64_t>(x.size()) / width), width_(width), bytes_(rows_ * PaddedWidth(width)) {
    quantised.resize(rows_);
    for (int64_t i = 0; i < rows_; ++i) {
      quantised[i] = kernels.quantise(x.data() + i * width, width, bytes_.data() + i * PaddedWidth(width));
    }
    memory_ = *AllocateHostZeroed(RowTiles::MemoryBytes(rows_, width));
    tiles.Build(kernels, bytes_.data(), quantised.data(), rows_, width, step_quads, memory_.as<void>());
  }
  const uint8_t* bytes(int64_t row) const { return bytes_.data() + row * PaddedWidth(width_); }

  std::vector<QuantisedRow> quantised;
  RowTiles tiles;

 private:
  const int64_t rows_, width_;
  std::vector<uint8_t> bytes_;
  Buffer memory_;
};

}  // namespace kwta::onednn::codes
