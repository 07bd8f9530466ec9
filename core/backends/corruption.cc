#include "core/backends/corruption.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/counter_rng.h"
#include "core/base/rng.h"
#include "core/simd/row_noise.h"

namespace kwta {

void DrawDropout(const Dropout& dropout, int64_t row, int64_t units, float* factors) {
  const CounterRng rng(dropout.seed, dropout.first_row + static_cast<uint64_t>(row));
  const auto dropped = static_cast<uint64_t>(std::ldexp(static_cast<double>(dropout.probability), 32));
  const auto kept = static_cast<float>(1 / (1 - static_cast<double>(dropout.probability)));
  ForCountedNumbers(rng, units, [=](int64_t j, uint32_t number) { factors[j] = number < dropped ? 0.0f : kept; });
}

void CorruptRow(const Corruption& corruption, int64_t row, const float* x, int64_t width, float* out) {
  if (corruption.kind == CorruptionKind::kNone || corruption.amount == 0) {
    if (out != x) std::copy_n(x, width, out);
    return;
  }
  if (corruption.kind == CorruptionKind::kDropout) {
    std::vector<float> factors(width);
    DrawDropout({corruption.amount, corruption.seed, corruption.first_row}, row, width, factors.data());
    for (int64_t d = 0; d < width; ++d) out[d] = factors[d] * x[d];
    return;
  }
  static const simd::RowNoise& noise = simd::RowNoiseFor(simd::AvailableInstructionSets().front());
  const simd::NoiseKey key = StreamKey(corruption.seed, corruption.first_row + static_cast<uint64_t>(row));
  if (corruption.kind == CorruptionKind::kMasking) {
    const auto rate = static_cast<uint32_t>(std::min(0x1p32 - 1, std::round(0x1p32 * corruption.amount)));
    noise.mask(key, rate, x, width, out);
  } else {
    noise.add_gaussian(key, std::sqrt(corruption.amount), x, width, out);
  }
}

}  // namespace kwta
