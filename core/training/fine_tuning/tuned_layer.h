// A k-sparse layer whose atoms and biases follow the gradient of a loss on its codes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// Codes of a batch, equally many activities a row, in host memory.
struct CodeBatch {
  int64_t rows = 0, k = 0;
  std::vector<int32_t> indices;  // [rows, k], ascending in a row
  std::vector<float> values;     // [rows, k]

  // [rows, units], zeros included.
  void ToDense(int64_t units, std::vector<float>* dense) const;
};

// Not thread-safe.
class TunedLayer {
 public:
  // From the tensors "atoms" [units, width] and "bias" [units]; codes keep k activities.
  // REQUIRES: an encoder was made of the tensors, so that their shapes are right.
  static absl::StatusOr<TunedLayer> Create(const TensorMap& tensors, int64_t k, std::shared_ptr<Backend> backend);

  int64_t units() const { return units_; }
  int64_t width() const { return width_; }

  // Codes of x[rows, width], host memory.
  absl::Status Encode(const float* x, int64_t rows, CodeBatch* codes);

  struct Rates {
    float rate = 0, momentum = 0, l2 = 0;
  };
  // dx[rows, width], host memory: the loss's gradient with respect to what Encode was given, dz[rows, k] being that
  // with respect to the activities of `codes`.
  absl::Status InputGradient(const CodeBatch& codes, const std::vector<float>& dz, std::vector<float>* dx);
  // A step of momentum along the gradient. What Encode was given was x, or, with x null, the codes `below`.
  absl::Status Step(const CodeBatch& codes, const std::vector<float>& dz, const float* x, const CodeBatch* below,
                    const Rates& rates);

  // "atoms" and "bias", and with velocities "velocity.atoms" and "velocity.bias".
  absl::StatusOr<TensorMap> Parameters(bool velocities) const;
  // Takes those of `state` whose names are these after `prefix`. Errors: DATA_LOSS if a tensor is missing or of the
  // wrong shape.
  absl::Status Restore(const TensorMap& state, const std::string& prefix);

 private:
  TunedLayer(int64_t units, int64_t width, int64_t k, std::shared_ptr<Backend> backend)
      : units_(units), width_(width), k_(k), backend_(std::move(backend)) {}
  struct Parameter {
    Buffer value, velocity, gradient;
  };
  absl::Status Allocate(size_t elements, const Tensor& value, Parameter* parameter);

  int64_t units_, width_, k_;
  std::shared_ptr<Backend> backend_;
  Parameter atoms_, bias_;
  Buffer active_rows_;
  std::unique_ptr<Dictionary> dictionary_;  // looks at the values
  bool dictionary_is_stale_ = false;
};

}  // namespace kwta
