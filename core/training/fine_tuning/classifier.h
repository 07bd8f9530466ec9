// A softmax classifier of sparse codes, trained together with the encoder below it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/evaluation/linear_probe.h"
#include "core/tensors/sparse_codes.h"
#include "core/tensors/tensor.h"

namespace kwta {

// Logits are weights' (scale z) + bias for a code z. `scale` gives codes a length of about 1, so that rates mean the
// same whatever the codes' size. Not thread-safe.
class Classifier {
 public:
  // Starts with zero weights.
  Classifier(int64_t units, int classes, float scale);
  // Starts with the weights of `probe`.
  Classifier(const LinearProbe& probe, float scale);

  struct Rates {
    float rate = 0, momentum = 0, l2 = 0;
  };
  struct Outcome {
    double loss = 0;    // sum of the cross-entropies of the rows
    int64_t wrong = 0;  // rows whose most probable class is not their label
  };

  // Writes the gradient of the mean cross-entropy with respect to the activities values[rows, k] of the units
  // indices[rows, k] to dz[rows, k]; then moves the weights by a momentum step.
  Outcome Step(const int32_t* indices, const float* values, const int32_t* labels, int64_t rows, int64_t k,
               const Rates& rates, float* dz);
  // Writes that gradient and changes nothing.
  void Gradient(const int32_t* indices, const float* values, const int32_t* labels, int64_t rows, int64_t k, float* dz);

  // Returns weights [units, classes], scale included, and bias [classes].
  Tensor Weights() const;
  Tensor Bias() const;

  float scale() const { return scale_; }
  // Weights and velocities, for a checkpoint: f32 [2, units + 1, lanes].
  Shape StateShape() const { return {2, units_ + 1, lanes_}; }
  Tensor State() const;
  // REQUIRES: state is f32 and has StateShape().
  void Restore(const Tensor& state, float scale);

 private:
  void Logits(const int32_t* indices, const float* values, int64_t k, float* logits) const;
  // Turns logits into the gradient of the cross-entropy with respect to them; counts the row in `outcome`.
  void LogitGradient(int32_t label, float* logits, Outcome* outcome) const;

  int64_t units_;
  int classes_;
  int lanes_;  // classes rounded up to whole vectors
  float scale_;
  std::vector<float> weights_, velocity_, gradient_;  // [units + 1, lanes]; the last row is the bias
  std::vector<float> logits_;                         // [lanes]
};

}  // namespace kwta
