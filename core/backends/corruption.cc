#include "core/backends/corruption.h"

#include <algorithm>
#include <cmath>

#include "core/base/rng.h"

namespace kwta {

void CorruptRow(const Corruption& corruption, int64_t row, const float* x, int64_t width, float* out) {
  if (corruption.kind == CorruptionKind::kNone || corruption.amount == 0) {
    if (out != x) std::copy_n(x, width, out);
    return;
  }
  Rng rng(corruption.seed, corruption.first_row + static_cast<uint64_t>(row));
  if (corruption.kind == CorruptionKind::kMasking) {
    for (int64_t d = 0; d < width; ++d) out[d] = rng.Uniform() <= corruption.amount ? 0.0f : x[d];
    return;
  }
  const double deviation = std::sqrt(static_cast<double>(corruption.amount));
  for (int64_t d = 0; d < width; ++d) out[d] = static_cast<float>(x[d] + deviation * rng.Gaussian());
}

}  // namespace kwta
