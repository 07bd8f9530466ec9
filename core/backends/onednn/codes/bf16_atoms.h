// A dictionary rounded to bf16, and oneDNN's product of rows with it. The product runs in tiles of the matrix unit if
// the processor has one.
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

  // Whether the library has such products on this processor. It has them from AVX-512 on.
  static bool Available();
  // Whether they are faster than binary32, because the processor has instructions for bf16.
  static bool Native();

  // REQUIRES: Refresh before first use. Errors: RESOURCE_EXHAUSTED, UNIMPLEMENTED if the library has no such product.
  static absl::StatusOr<std::unique_ptr<Bf16Atoms>> Create(int64_t units, int64_t width);
  ~Bf16Atoms();

  // Copies atoms[units, width] and bias[units], and does not read them later. REQUIRES: all are finite, and no atom is
  // longer than 2^100. Errors: INTERNAL, RESOURCE_EXHAUSTED.
  absl::Status Refresh(ThreadPool& pool, const support::RowOperations& kernels, const float* atoms, const float* bias);

  int64_t tiles() const { return DivideUp(units_, kTileUnits); }
  // Distance between two rows of scores, in elements.
  int64_t stride() const { return tiles() * kTileUnits; }

  // out[n] = x[n] in bf16, without subnormal numbers; rest[n] = x - out, exactly.
  static void Round(const float* x, int64_t n, uint16_t* out, float* rest);

  // Computes scores[r * stride() + u] = <row r of x[kTileRows, width], atom u of the tile> on the calling thread.
  // Errors: INTERNAL, RESOURCE_EXHAUSTED.
  absl::Status Multiply(const uint16_t* x, int64_t tile, float* scores) const;

  // The bounds of scores that include the bias. A row's residual is the rest from Round.
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
