#include "core/backends/reference/exact_top_k.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/backends/score_order.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta {

void ExactScores(const Dictionary& dictionary, const float* x, float* scores) {
  for (int64_t h = 0; h < dictionary.units; ++h) {
    scores[h] = simd::FixedOrderDot(x, dictionary.atoms + h * dictionary.width, dictionary.width) + dictionary.bias[h];
  }
}

void ExactTopK(const float* scores, int64_t units, int64_t k, int32_t* indices, float* values) {
  std::vector<int32_t> order(static_cast<size_t>(units));
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + k, order.end(),
                    [scores](int32_t a, int32_t b) { return GoesBefore(scores[a], a, scores[b], b); });
  std::sort(order.begin(), order.begin() + k);
  for (int64_t j = 0; j < k; ++j) {
    indices[j] = order[j];
    values[j] = scores[order[j]];
  }
}

}  // namespace kwta
