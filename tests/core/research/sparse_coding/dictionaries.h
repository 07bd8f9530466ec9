// Dictionaries whose coherence is known.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/base/rng.h"
#include "core/research/sparse_coding/sparse_solution.h"

namespace kwta {

struct DictionaryValues {
  std::vector<float> values;
  int64_t units = 0, width = 0;

  Atoms atoms() const { return {values.data(), units, width}; }
};

// The unit vectors and the rows of a Hadamard matrix (width a power of two) as 2 width atoms: any two of one basis are
// orthogonal, any two of both have the inner product 1 / sqrt(width), which is the coherence.
inline DictionaryValues SpikesAndWaves(int64_t width) {
  DictionaryValues result{std::vector<float>(2 * width * width), 2 * width, width};
  const auto height = static_cast<float>(1 / std::sqrt(static_cast<double>(width)));
  for (int64_t h = 0; h < width; ++h) {
    result.values[h * width + h] = 1;
    for (int64_t d = 0; d < width; ++d) {
      result.values[(width + h) * width + d] = __builtin_parityll(h & d) ? -height : height;
    }
  }
  return result;
}

// Atoms of unit length around a common direction: noise of size `spread` beside a vector of length 1.
inline DictionaryValues Gaussians(int64_t units, int64_t width, double common, uint64_t seed) {
  DictionaryValues result{std::vector<float>(units * width), units, width};
  Rng rng(seed);
  for (int64_t h = 0; h < units; ++h) {
    double squared = 0;
    std::vector<double> atom(width);
    for (double& value : atom) {
      value = common + rng.Gaussian();
      squared += value * value;
    }
    for (int64_t d = 0; d < width; ++d) result.values[h * width + d] = static_cast<float>(atom[d] / std::sqrt(squared));
  }
  return result;
}

// sum of values[i] * atom support[i].
inline std::vector<float> Combine(const Atoms& atoms, const std::vector<int32_t>& support,
                                  const std::vector<double>& values) {
  std::vector<double> x(atoms.width);
  for (size_t i = 0; i < support.size(); ++i) {
    for (int64_t d = 0; d < atoms.width; ++d) x[d] += values[i] * atoms.atom(support[i])[d];
  }
  return {x.begin(), x.end()};
}

}  // namespace kwta
