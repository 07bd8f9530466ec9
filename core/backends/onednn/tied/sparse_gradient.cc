#include "core/backends/onednn/tied/sparse_gradient.h"

#include <algorithm>
#include <vector>

#include "core/backends/onednn/tied/codes_by_unit.h"
#include "core/backends/onednn/tied/sum_terms.h"
#include "core/base/divide_up.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::tied {
namespace {

constexpr int64_t kGradientGrainUnits = 16;
// Columns of the decoder bias's gradient that one range sums.
constexpr int64_t kGradientGrainColumns = 256;

void UnitGradient(const support::Context& context, const SparseGradientArgs& args, const CodesByUnit& codes,
                  int64_t unit, SumTerms* terms) {
  const int64_t count = codes.count(unit);
  args.active_rows[unit] = static_cast<int32_t>(count);
  args.gradient_bias[unit] = 0;
  if (count == 0) return;
  const float twice_scale = 2 * args.scale;
  terms->Clear();
  double bias_sum = 0;
  for (int64_t e = 0; e < count; ++e) {
    const int64_t row = codes.rows(unit)[e];
    const float* residual = args.residual + row * args.width;
    const float dz = twice_scale * simd::FixedOrderDot(residual, args.atoms + unit * args.width, args.width);
    bias_sum += dz;
    terms->Add(residual, twice_scale * args.values[codes.entries(unit)[e]]);
    terms->Add(args.x + row * args.width, dz);
  }
  args.gradient_bias[unit] = static_cast<float>(bias_sum);
  context.rows.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(), 2 * count, args.width,
                            args.gradient_atoms + unit * args.width);
}

// Columns begin .. end - 1 of the decoder bias's gradient.
void DecoderBiasGradient(const support::Context& context, const SparseGradientArgs& args, int64_t begin, int64_t end,
                         SumTerms* terms) {
  terms->Clear();
  for (int64_t i = 0; i < args.rows; ++i) terms->Add(args.residual + i * args.width + begin, 2 * args.scale);
  context.rows.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(), args.rows, end - begin,
                            args.gradient_decoder_bias + begin);
}

}  // namespace

absl::Status SparseGradient(support::Context& context, const SparseGradientArgs& args) {
  CodesByUnit codes;
  codes.Sort(args.indices, args.rows, args.k, args.units);
  std::vector<SumTerms> terms(static_cast<size_t>(context.pool.threads()));
  const int64_t unit_ranges = DivideUp(args.units, kGradientGrainUnits);
  const int64_t column_ranges = DivideUp(args.width, kGradientGrainColumns);
  context.pool.ParallelFor(unit_ranges + column_ranges, 1, [&](int64_t range, int64_t, int thread) {
    if (range >= unit_ranges) {
      const int64_t begin = (range - unit_ranges) * kGradientGrainColumns;
      DecoderBiasGradient(context, args, begin, std::min(begin + kGradientGrainColumns, args.width), &terms[thread]);
      return;
    }
    const int64_t end = std::min((range + 1) * kGradientGrainUnits, args.units);
    for (int64_t unit = range * kGradientGrainUnits; unit < end; ++unit) {
      UnitGradient(context, args, codes, unit, &terms[thread]);
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::tied
