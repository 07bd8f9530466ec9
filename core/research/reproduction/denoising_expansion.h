// Theorem 3 of Arpit, Zhou, Ngo & Govindaraju, "Why Regularized Auto-Encoders Learn Sparse Representation?", in
// numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/activation.h"
#include "core/base/thread_pool.h"

namespace kwta {

// An autoencoder h = s(W x + b), y = W'h + b', and rows that it reconstructs.
struct ExpandedAutoencoder {
  const float* atoms = nullptr;         // [units, width]: W
  const float* bias = nullptr;          // [units]: b
  const float* decoder_bias = nullptr;  // [width]: b'
  int64_t units = 0, width = 0;
  Activation activation = Activation::kReLU;
  const float* x = nullptr;  // [rows, width]
  int64_t rows = 0;
};

// The bracket of equation (7), averaged over the rows.
double DenoisingBracket(const ExpandedAutoencoder& model, ThreadPool& pool);

// (J_DAE - J_AE) / variance for each of `variances`, with `samples` Gaussian corruptions of each row, each with its
// opposite, so that odd terms cancel. All variances see the same directions.
std::vector<double> DenoisingExcess(const ExpandedAutoencoder& model, const std::vector<double>& variances,
                                    int64_t samples, uint64_t seed, ThreadPool& pool);

}  // namespace kwta
