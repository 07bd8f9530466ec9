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

// Codes of a batch in host memory; every row has the same number of activities.
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
  // Takes the tensors "atoms" [units, width] and "bias" [units]; codes keep k activities.
  // REQUIRES: an encoder was created from the tensors, so their shapes are right.
  static absl::StatusOr<TunedLayer> Create(const TensorMap& tensors, int64_t k, std::shared_ptr<Backend> backend);

  int64_t units() const { return units_; }
  int64_t width() const { return width_; }

  // Computes codes of x[rows, width], host memory.
  absl::Status Encode(const float* x, int64_t rows, CodeBatch* codes);

  struct Rates {
    float rate = 0, momentum = 0, l2 = 0;
  };
  // Computes dx[rows, width], host memory: the loss's gradient with respect to Encode's input. dz[rows, k] is the
  // gradient with respect to the activities of `codes`.
  absl::Status InputGradient(const CodeBatch& codes, const std::vector<float>& dz, std::vector<float>* dx);
  // Makes a momentum step along the gradient. Encode's input was x, or the codes `below` if x is null.
  absl::Status Step(const CodeBatch& codes, const std::vector<float>& dz, const float* x, const CodeBatch* below,
                    const Rates& rates);

  // Returns "atoms" and "bias", and with velocities also "velocity.atoms" and "velocity.bias".
  absl::StatusOr<TensorMap> Parameters(bool velocities) const;
  // Takes the tensors of `state` with these names after `prefix`. Errors: DATA_LOSS if a tensor is missing or of the
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
  std::unique_ptr<Dictionary> dictionary_;  // refers to the values
  bool dictionary_is_stale_ = false;
};

}  // namespace kwta
