// Small k-sparse models with random numbers, and the paper's formulas as plain loops in binary64.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/rng.h"
#include "core/encoders/encoder.h"
#include "core/encoders/k_sparse.h"

namespace kwta {

inline Tensor GaussianTensor(Shape shape, double sigma, Rng& rng) {
  Tensor tensor(DType::kF32, std::move(shape));
  for (int64_t i = 0; i < tensor.elements(); ++i) tensor.as<float>()[i] = static_cast<float>(sigma * rng.Gaussian());
  return tensor;
}

inline v1::KSparseSpec ResolvedKSparse(uint32_t units, uint32_t k) {
  v1::KSparseSpec spec;
  spec.set_units(units);
  spec.set_k(k);
  EXPECT_TRUE(ResolveKSparse(&spec).ok());
  return spec;
}

// A model with Gaussian weights, biases and, if asked for, mean.
inline ModelBundle RandomKSparseModel(uint32_t units, uint32_t width, uint32_t k, bool subtract_mean, uint64_t seed) {
  Rng rng(seed);
  ModelBundle bundle;
  v1::ModelDescription& description = bundle.description;
  description.set_format(1);
  description.set_name("random");
  description.set_input_width(width);
  description.set_code_width(units);
  *description.mutable_encoder()->mutable_k_sparse() = ResolvedKSparse(units, k);
  description.mutable_preprocessing()->set_subtract_mean(subtract_mean);
  bundle.tensors["atoms"] = GaussianTensor({units, width}, 0.5, rng);
  bundle.tensors["bias"] = GaussianTensor({units}, 0.5, rng);
  bundle.tensors["decoder_bias"] = GaussianTensor({width}, 0.5, rng);
  if (subtract_mean) bundle.tensors["mean"] = GaussianTensor({width}, 1.0, rng);
  return bundle;
}

// Parameters in binary64, for independent computation.
struct KSparseOracle {
  explicit KSparseOracle(const TensorMap& tensors)
      : units(tensors.at("bias").elements()),
        width(tensors.at("decoder_bias").elements()),
        atoms(Copy(tensors.at("atoms"))),
        bias(Copy(tensors.at("bias"))),
        decoder_bias(Copy(tensors.at("decoder_bias"))) {}

  static std::vector<double> Copy(const Tensor& tensor) {
    return std::vector<double>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  }

  // z = W'x + b.
  std::vector<double> Activities(const double* x) const {
    std::vector<double> z(units);
    for (int64_t h = 0; h < units; ++h) {
      z[h] = bias[h];
      for (int64_t d = 0; d < width; ++d) z[h] += atoms[h * width + d] * x[d];
    }
    return z;
  }

  // supp_k(z), ascending; ties to the lowest unit.
  static std::vector<int32_t> Support(const std::vector<double>& z, int64_t k) {
    std::vector<int32_t> units(z.size());
    std::iota(units.begin(), units.end(), 0);
    std::stable_sort(units.begin(), units.end(), [&](int32_t a, int32_t b) { return z[a] > z[b]; });
    units.resize(k);
    std::sort(units.begin(), units.end());
    return units;
  }

  // xhat = W z + b' over the units of a support.
  std::vector<double> Reconstruction(const std::vector<double>& z, const std::vector<int32_t>& support) const {
    std::vector<double> x = decoder_bias;
    for (const int32_t h : support) {
      for (int64_t d = 0; d < width; ++d) x[d] += z[h] * atoms[h * width + d];
    }
    return x;
  }

  int64_t units, width;
  std::vector<double> atoms, bias, decoder_bias;
};

}  // namespace kwta
