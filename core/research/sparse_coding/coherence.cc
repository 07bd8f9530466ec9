#include "core/research/sparse_coding/coherence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace kwta {

double MutualCoherence(const Atoms& atoms, ThreadPool& pool) {
  std::vector<int64_t> present;
  std::vector<double> lengths;
  for (int64_t h = 0; h < atoms.units; ++h) {
    const double length = std::sqrt(Dot(atoms.atom(h), atoms.atom(h), atoms.width));
    if (length == 0) continue;
    present.push_back(h);
    lengths.push_back(length);
  }
  std::vector<double> largest(pool.threads());
  pool.ParallelFor(static_cast<int64_t>(present.size()), 8, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < i; ++j) {
        const double inner = Dot(atoms.atom(present[i]), atoms.atom(present[j]), atoms.width);
        largest[thread] = std::max(largest[thread], std::abs(inner) / (lengths[i] * lengths[j]));
      }
    }
  });
  return std::min(1.0, *std::max_element(largest.begin(), largest.end()));
}

double UniqueSparsityBound(double coherence) {
  return coherence > 0 ? (1 + 1 / coherence) / 2 : std::numeric_limits<double>::infinity();
}

}  // namespace kwta
