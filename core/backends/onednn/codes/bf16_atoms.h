// A dictionary rounded to bf16, and oneDNN's product of rows with it: in tiles of the matrix unit where the processor
// has one.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/support/row_operations.h"
#include "core/base/divide_up.h"
#include "core/base/thread_pool.h"

namespace kwta::onednn::codes {

// Const methods are thread-safe; Refresh must be alone.
class Bf16Atoms {
 public:
  // Rows and units of one product.
  static constexpr int64_t kTileRows = 64;
  static constexpr int64_t kTileUnits = 512;

  // Whether the library has such products on this processor at all. It has them from AVX-512 on.
  static bool Available();
  // Whether they are faster than binary32: the processor has instructions for bf16.
  static bool Native();

  // REQUIRES: Refresh before first use. Errors: RESOURCE_EXHAUSTED, UNIMPLEMENTED if the library has no such product.
  static absl::StatusOr<std::unique_ptr<Bf16Atoms>> Create(int64_t units, int64_t width);
  ~Bf16Atoms();

  // Takes up atoms[units, width] and bias[units]; does not look at them later. REQUIRES: all are finite, and no atom
  // is longer than 2^100. Errors: INTERNAL, RESOURCE_EXHAUSTED.
  absl::Status Refresh(ThreadPool& pool, const support::RowOperations& kernels, const float* atoms, const float* bias);

  int64_t tiles() const { return DivideUp(units_, kTileUnits); }
  // Elements from a row of scores to the next.
  int64_t stride() const { return tiles() * kTileUnits; }

  // out[n] = x[n] in bf16, without subnormal numbers; rest[n] = x - out, exactly.
  static void Round(const float* x, int64_t n, uint16_t* out, float* rest);

  // scores[r * stride() + u] = <row r of x[kTileRows, width], atom u of the tile>, on the calling thread.
  // Errors: INTERNAL, RESOURCE_EXHAUSTED.
  absl::Status Multiply(const uint16_t* x, int64_t tile, float* scores) const;

  // The bounds of scores with the bias added. A row's residual is what Round took from it.
  const UnitBounds& bounds() const { return bounds_; }

 private:
  struct Product;
  Bf16Atoms(int64_t units, int64_t width);

  const int64_t units_;
  const int64_t width_;
  std::unique_ptr<Product> product_;
  UnitBounds bounds_;
};

}  // namespace kwta::onednn::codes
