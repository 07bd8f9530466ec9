// A shallow convolutional network trained with labels from end to end: convolution, ReLU, overlapping max-pooling and a
// softmax classifier. It has the architecture of the winner-take-all encoder and its classifier. Figure 1(c) of
// Makhzani & Frey, "A Winner-Take-All Method for Training Sparse Convolutional Autoencoders", compares the encoder with
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/backends/winner_args.h"
#include "core/base/thread_pool.h"
#include "core/evaluation/probe_kernels.h"
#include "core/simd/adam.h"
#include "core/tensors/tensor.h"

namespace kwta {

struct ConvolutionShape {
  int64_t channels = 1, height = 28, width = 28;  // of one image
  int64_t maps = 16;
  int64_t filter_size = 7;  // the image is padded with zeros, so maps have its size
  Pooling pooling{5, 3, 2};
  int classes = 10;

  int64_t image() const { return channels * height * width; }
  int64_t patch() const { return channels * filter_size * filter_size; }
  int64_t pooled() const { return maps * pooling.Extent(height) * pooling.Extent(width); }
};

struct ConvolutionOptions {
  int epochs = 20;
  int batch_size = 100;
  double learning_rate = 0.001;  // Adam's; falls linearly to zero over the second half
  double l2 = 1e-4;              // l2 / 2 |classifier weights|^2 is added to the mean cross-entropy
  double dropout = 0.5;          // of pooled activities during training
  uint64_t seed = 1;
};

// Parameters, or their gradients.
struct ConvolutionParameters {
  std::vector<float> filters;          // [maps, patch]
  std::vector<float> bias;             // [maps]
  std::vector<float> weights;          // [pooled height, pooled width, maps, classes]
  std::vector<float> classifier_bias;  // [classes]
};

// The network. Not thread-safe.
class SupervisedConvolution {
 public:
  // Errors: INVALID_ARGUMENT (filters larger than the image, pooling that leaves nothing, sizes below 1).
  // REQUIRES: `pool` outlives it.
  static absl::StatusOr<SupervisedConvolution> Create(const ConvolutionShape& shape, uint64_t seed, ThreadPool& pool);

  // Trains on x[rows, channels * height * width] with labels 0 .. classes - 1. `report`, if not empty, is called after
  // each update with the number of epochs done, which may be fractional, and the mean loss of the batch; if it returns
  // an error, training stops and returns the error. The result is a function of the arguments, whatever the number of
  // threads. Errors: also INVALID_ARGUMENT (labels or options out of range), FAILED_PRECONDITION (diverged).
  absl::Status Train(const float* x, const std::vector<int32_t>& labels, const ConvolutionOptions& options,
                     const std::function<absl::Status(double, double)>& report = {});

  // Fraction of the rows whose most probable class is not their label.
  double ErrorRate(const float* x, const std::vector<int32_t>& labels) const;

  // Computes the mean cross-entropy of a batch and its gradient without the penalty. `kept` is the dropout: a factor
  // for each pooled activity, [rows, pooled]; null: none.
  double LossAndGradient(const float* const* images, const int32_t* labels, int64_t rows, const float* kept,
                         ConvolutionParameters* gradient) const;

  ConvolutionParameters& parameters() { return parameters_; }
  const ConvolutionShape& shape() const { return shape_; }

 private:
  SupervisedConvolution(const ConvolutionShape& shape, uint64_t seed, ThreadPool& pool);
  struct Pass;
  // Computes the pooled activities of an image in `pass`. `transposed` holds the filters with the maps side by side.
  void Forward(const float* image, const std::vector<float>& transposed, Pass* pass) const;
  void Scores(const float* pooled, float* scores) const;

  ConvolutionShape shape_;
  ThreadPool* pool_;
  const ProbeKernels* kernels_;
  const simd::AdamKernels* adam_;
  ConvolutionParameters parameters_;
};

}  // namespace kwta
