#include "core/backends/onednn/sparse_gradient.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/backends/fixed_order_dot.h"

namespace kwta {
namespace {

constexpr int64_t kGrainUnits = 16;
// Columns of the decoder bias's gradient that one range sums.
constexpr int64_t kGrainColumns = 256;

// The codes of a batch, by unit: entry e of unit j, offsets[j] <= e < offsets[j + 1], is row rows[e] with value
// values[e]. Rows ascend.
struct CodesByUnit {
  std::vector<int64_t> offsets;
  std::vector<int32_t> rows;
  std::vector<float> values;
};

CodesByUnit Transpose(const SparseGradientArgs& args) {
  const int64_t entries = args.rows * args.k;
  CodesByUnit codes;
  codes.offsets.assign(static_cast<size_t>(args.units) + 1, 0);
  codes.rows.resize(static_cast<size_t>(entries));
  codes.values.resize(static_cast<size_t>(entries));
  for (int64_t e = 0; e < entries; ++e) ++codes.offsets[args.indices[e] + 1];
  std::partial_sum(codes.offsets.begin(), codes.offsets.end(), codes.offsets.begin());
  std::vector<int64_t> next(codes.offsets.begin(), codes.offsets.end() - 1);
  for (int64_t i = 0; i < args.rows; ++i) {
    for (int64_t e = i * args.k; e < (i + 1) * args.k; ++e) {
      const int64_t place = next[args.indices[e]]++;
      codes.rows[place] = static_cast<int32_t>(i);
      codes.values[place] = args.values[e];
    }
  }
  return codes;
}

// Operands of one weighted sum, kept between units.
struct Terms {
  std::vector<const float*> rows;
  std::vector<float> scales;
};

void UnitGradient(const OnednnContext& context, const SparseGradientArgs& args, const CodesByUnit& codes, int64_t unit,
                  Terms* terms) {
  const int64_t begin = codes.offsets[unit];
  const int64_t end = codes.offsets[unit + 1];
  args.active_rows[unit] = static_cast<int32_t>(end - begin);
  args.gradient_bias[unit] = 0;
  if (begin == end) return;
  const float twice_scale = 2 * args.scale;
  terms->rows.clear();
  terms->scales.clear();
  double bias_sum = 0;
  for (int64_t e = begin; e < end; ++e) {
    const float* residual = args.residual + codes.rows[e] * args.width;
    const float dz = twice_scale * FixedOrderDot(residual, args.atoms + unit * args.width, args.width);
    bias_sum += dz;
    terms->rows.push_back(residual);
    terms->scales.push_back(twice_scale * codes.values[e]);
    terms->rows.push_back(args.x + codes.rows[e] * args.width);
    terms->scales.push_back(dz);
  }
  args.gradient_bias[unit] = static_cast<float>(bias_sum);
  context.kernels.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(), 2 * (end - begin), args.width,
                               args.gradient_atoms + unit * args.width);
}

// Columns begin .. end - 1 of the decoder bias's gradient.
void DecoderBiasGradient(const OnednnContext& context, const SparseGradientArgs& args, int64_t begin, int64_t end,
                         Terms* terms) {
  terms->rows.clear();
  terms->scales.assign(static_cast<size_t>(args.rows), 2 * args.scale);
  for (int64_t i = 0; i < args.rows; ++i) terms->rows.push_back(args.residual + i * args.width + begin);
  context.kernels.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(), args.rows, end - begin,
                               args.gradient_decoder_bias + begin);
}

}  // namespace

absl::Status OnednnSparseGradient(OnednnContext& context, const SparseGradientArgs& args) {
  const CodesByUnit codes = Transpose(args);
  std::vector<Terms> terms(static_cast<size_t>(context.pool.threads()));
  const int64_t unit_ranges = (args.units + kGrainUnits - 1) / kGrainUnits;
  const int64_t column_ranges = (args.width + kGrainColumns - 1) / kGrainColumns;
  context.pool.ParallelFor(unit_ranges + column_ranges, 1, [&](int64_t range, int64_t, int thread) {
    if (range >= unit_ranges) {
      const int64_t begin = (range - unit_ranges) * kGrainColumns;
      DecoderBiasGradient(context, args, begin, std::min(begin + kGrainColumns, args.width), &terms[thread]);
      return;
    }
    const int64_t end = std::min((range + 1) * kGrainUnits, args.units);
    for (int64_t unit = range * kGrainUnits; unit < end; ++unit) {
      UnitGradient(context, args, codes, unit, &terms[thread]);
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta
