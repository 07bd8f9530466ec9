// The parameters that kinds with one matrix share: atoms W, bias b and decoder bias b', of z = W x + b and y = W'z +
// b'.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/model_bundle.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {

// In the backend's memory, with the mean m of the preprocessing folded in: z = W x + (b - W m) and y = W'z + (b' + m),
// so that rows need no subtraction. Immutable; every method is thread-safe.
class AffineLayer {
 public:
  // Takes the tensors "atoms" [units, width], "bias" [units] and "decoder_bias" [width] of a bundle, and its
  // preprocessing. Errors: DATA_LOSS if tensors and description do not match.
  static absl::StatusOr<AffineLayer> Load(const ModelBundle& bundle, int64_t units, std::shared_ptr<Backend> backend);

  int64_t units() const { return units_; }
  int64_t width() const { return width_; }  // of a preprocessed row
  int64_t input_width() const { return ElementCount(preprocessor_.input_shape()); }
  const Preprocessor& preprocessor() const { return preprocessor_; }
  Backend& backend() const { return *backend_; }
  const float* atoms() const { return atoms_.as<float>(); }
  const float* bias() const { return bias_.as<float>(); }
  int64_t bytes() const { return static_cast<int64_t>(atoms_.bytes() + bias_.bytes() + decoder_bias_.bytes()); }

  // Writes y of codes with k entries a row, indices and values [rows, k], to out[rows, width].
  absl::Status Decode(const int32_t* indices, const float* values, int64_t rows, int64_t k, float* out) const;

 private:
  AffineLayer(int64_t units, Preprocessor preprocessor, std::shared_ptr<Backend> backend);
  absl::Status Fold(const float* atoms, const float* bias, const float* decoder_bias);

  int64_t units_, width_;
  Preprocessor preprocessor_;
  std::shared_ptr<Backend> backend_;
  Buffer atoms_;         // [units, width]
  Buffer bias_;          // [units], b - W m
  Buffer decoder_bias_;  // [width], b' + m
};

}  // namespace kwta
