// A layer whose atoms and biases follow the gradient of a loss on its codes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/base/rng.h"
#include "core/encoders/encoder_kind.h"
#include "core/io/arrays/safetensors.h"

namespace kwta {

// Codes of a batch in host memory; every row has the same number of entries. Activities that are not listed are zero,
// and have no gradient.
struct CodeBatch {
  int64_t rows = 0, k = 0;
  std::vector<int32_t> indices;  // [rows, k], each unit at most once a row
  std::vector<float> values;     // [rows, k]
  std::vector<float> slopes;     // [rows, k]: of the values along the pre-activations; empty: 1

  // [rows, units], zeros included.
  void ToDense(int64_t units, std::vector<float>* dense) const;
};

// Not thread-safe.
class TunedLayer {
 public:
  // Takes the tensors "atoms" [units, width] and "bias" [units].
  // REQUIRES: an encoder was created from the tensors, so their shapes are right.
  static absl::StatusOr<TunedLayer> Create(const TensorMap& tensors, const TunedCode& code,
                                           std::shared_ptr<Backend> backend);

  int64_t units() const { return units_; }
  int64_t width() const { return width_; }

  // The dropout of its codes that it was trained with.
  double own_dropout() const { return code_.code_dropout; }

  // Computes codes of x[rows, width], host memory. Drops each activity with `dropout`, drawn from rng, and scales the
  // others up; rng may be null if dropout is 0. Errors: FAILED_PRECONDITION if an activity is not finite: training has
  // diverged.
  absl::Status Encode(const float* x, int64_t rows, double dropout, Rng* rng, CodeBatch* codes);

  struct Rates {
    float rate = 0, momentum = 0, l2 = 0;
  };
  // Computes dx[rows, width], host memory: the loss's gradient with respect to Encode's input. dz[rows, k] is the
  // gradient with respect to the pre-activations of `codes`.
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
  TunedLayer(int64_t units, int64_t width, const TunedCode& code, std::shared_ptr<Backend> backend)
      : units_(units), width_(width), code_(code), backend_(std::move(backend)) {}
  // The k largest pre-activations.
  absl::Status EncodeLargest(const float* x, int64_t rows, CodeBatch* codes);
  // s of all pre-activations. Draws dropout first, and lists what is neither dropped nor without a slope.
  absl::Status EncodeActivities(const float* x, int64_t rows, double dropout, Rng* rng, CodeBatch* codes);
  struct Parameter {
    Buffer value, velocity, gradient;
  };
  absl::Status Allocate(size_t elements, const Tensor& value, Parameter* parameter);

  int64_t units_, width_;
  TunedCode code_;
  std::shared_ptr<Backend> backend_;
  Parameter atoms_, bias_;
  Buffer active_rows_;
  std::unique_ptr<Dictionary> dictionary_;  // refers to the values; null unless codes are the k largest
  bool dictionary_is_stale_ = false;
  std::vector<float> pre_activations_, biases_, factors_;  // scratch: [rows, units], [units], [rows, units]
};

}  // namespace kwta
