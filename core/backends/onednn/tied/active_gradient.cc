#include "core/backends/onednn/tied/active_gradient.h"

#include <algorithm>
#include <vector>

#include "core/backends/onednn/tied/codes_by_unit.h"
#include "core/backends/onednn/tied/sum_terms.h"

namespace kwta::onednn::tied {
namespace {

constexpr int64_t kActiveGradientGrainUnits = 16;

// Writes the gradient of an active unit, for dense x.
void DenseAtomGradient(const support::Context& context, const ActiveGradientArgs& args, const CodesByUnit& codes,
                       int64_t unit, SumTerms* terms) {
  terms->Clear();
  if (args.decay != 0) terms->Add(args.atoms + unit * args.width, args.decay);
  for (int64_t e = 0; e < codes.count(unit); ++e) {
    terms->Add(args.x + codes.rows(unit)[e] * args.width, args.dz[codes.entries(unit)[e]]);
  }
  context.rows.weighted_sum(nullptr, terms->rows.data(), terms->scales.data(), static_cast<int64_t>(terms->rows.size()),
                            args.width, args.gradient_atoms + unit * args.width);
}

// As above, if x is the codes of the layer below.
void SparseAtomGradient(const ActiveGradientArgs& args, const CodesByUnit& codes, int64_t unit) {
  float* gradient = args.gradient_atoms + unit * args.width;
  if (args.decay != 0) {
    const float* atom = args.atoms + unit * args.width;
    for (int64_t d = 0; d < args.width; ++d) gradient[d] = args.decay * atom[d];
  } else {
    std::fill_n(gradient, args.width, 0.0f);
  }
  for (int64_t e = 0; e < codes.count(unit); ++e) {
    const float dz = args.dz[codes.entries(unit)[e]];
    const int64_t first = codes.rows(unit)[e] * args.x_k;
    for (int64_t q = first; q < first + args.x_k; ++q) gradient[args.x_indices[q]] += dz * args.x_values[q];
  }
}

}  // namespace

absl::Status ActiveGradient(support::Context& context, const ActiveGradientArgs& args) {
  CodesByUnit codes;
  codes.Sort(args.indices, args.rows, args.k, args.units);
  std::vector<SumTerms> terms(static_cast<size_t>(context.pool.threads()));
  context.pool.ParallelFor(args.units, kActiveGradientGrainUnits, [&](int64_t begin, int64_t end, int thread) {
    for (int64_t unit = begin; unit < end; ++unit) {
      double bias = 0;
      for (int64_t e = 0; e < codes.count(unit); ++e) bias += args.dz[codes.entries(unit)[e]];
      args.gradient_bias[unit] = static_cast<float>(bias);
      args.active_rows[unit] = static_cast<int32_t>(codes.count(unit));
      if (codes.count(unit) == 0) continue;
      if (args.x != nullptr) {
        DenseAtomGradient(context, args, codes, unit, &terms[thread]);
      } else {
        SparseAtomGradient(args, codes, unit);
      }
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::tied
