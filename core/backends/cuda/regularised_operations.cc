// The pass of regularised autoencoders.
#include <algorithm>
#include <cmath>

#include "core/backends/cuda/kernels/regularised.h"
#include "core/backends/cuda/operations.h"

namespace kwta::cuda {
namespace {

DropoutFactors FactorsOf(float probability, uint64_t seed, uint64_t first_row) {
  return {seed, first_row, static_cast<uint64_t>(std::ldexp(static_cast<double>(probability), 32)),
          static_cast<float>(1 / (1 - static_cast<double>(probability)))};
}

// out = the corrupted rows or, if `difference`, what corruption changes.
void QueueCorruption(Work& work, const RegularisedPassArgs& args, bool difference, Global<float> out) {
  const Corruption& corruption = args.corruption;
  CorruptKernel::Args corrupt;
  corrupt.x = In(args.x, args.rows * args.width);
  corrupt.width = args.width;
  corrupt.kind = corruption.kind;
  corrupt.seed = corruption.seed;
  corrupt.first_row = corruption.first_row;
  corrupt.deviation = std::sqrt(corruption.amount);
  if (corruption.kind == CorruptionKind::kMasking) {
    corrupt.rate = static_cast<uint32_t>(std::min(0x1p32 - 1, std::round(0x1p32 * corruption.amount)));
  }
  if (corruption.kind == CorruptionKind::kDropout) {
    corrupt.dropout = FactorsOf(corruption.amount, corruption.seed, corruption.first_row);
  }
  corrupt.out = out;
  corrupt.difference = difference;
  work.Launch<CorruptKernel>(args.rows, ThreadsFor(args.width, CorruptKernel::kMaxThreads), corrupt);
}

bool Corrupts(const RegularisedPassArgs& args) {
  return args.corruption.kind != CorruptionKind::kNone && args.corruption.amount != 0;
}

}  // namespace

void QueueRegularisedPass(Work& work, const RegularisedPassArgs& args) {
  const int64_t rows = args.rows, units = args.units, width = args.width;
  const Global<const float> x = In(args.x, rows * width), atoms = In(args.atoms, units * width);
  const Global<const float> bias = In(args.bias, units);
  const DropoutFactors dropout = FactorsOf(args.dropout.probability, args.dropout.seed, args.dropout.first_row);
  // Without corruption nothing changes to first order.
  const bool first_order = args.first_order && Corrupts(args);
  Global<const float> seen = x, along;
  if (Corrupts(args)) {
    const Global<float> corrupted = work.Temporary<float>(rows * width);
    QueueCorruption(work, args, first_order, corrupted);
    (first_order ? along : seen) = In(corrupted);
  }
  const Global<float> products = work.Temporary<float>(rows * units), h = work.Temporary<float>(rows * units);
  QueueProduct(work, seen, atoms, products, rows, units, width, false, true);
  Global<float> u, v, change;
  if (first_order) {
    u = work.Temporary<float>(rows * units);
    v = work.Temporary<float>(rows * units);
    change = work.Temporary<float>(rows * width);
    QueueProduct(work, along, atoms, u, rows, units, width, false, true);
  }
  work.LaunchEach<ActivateKernel>(rows * units, {In(products), bias, In(u), units, args.activation, dropout, h, v});

  // Sums of r^2 and of 2 r p for each row, then the units' penalties.
  const Global<double> squares = work.Temporary<double>(rows), penalties = work.Temporary<double>(rows + units);
  UnitTermsKernel::Args terms;
  terms.atoms = atoms;
  terms.products = In(products);
  terms.bias = bias;
  terms.rows = rows;
  terms.units = units;
  terms.width = width;
  terms.activation = args.activation;
  terms.contraction = args.contraction;
  terms.marginal = args.marginal;
  terms.weight_decay = args.weight_decay;
  terms.fixed_lengths = args.fixed_lengths;
  terms.sparsity = args.sparsity;
  terms.running_mean = Out(args.sparsity.running_mean, units);
  terms.activity_sums = Out(args.activity_sums, 3 * units);
  terms.terms = {work.Temporary<float>(units), work.Temporary<float>(units), work.Temporary<float>(units),
                 Global<double>{IsNull(penalties) ? nullptr : penalties.data + rows, units},
                 work.Temporary<int32_t>(units)};
  work.Launch<UnitTermsKernel>(UnitTermsKernel::Blocks(terms), ThreadsFor(rows * kWarp, UnitTermsKernel::kMaxThreads),
                               terms);

  const Global<float> output = work.Temporary<float>(rows * width), gradient = work.Temporary<float>(rows * width);
  QueueProduct(work, In(h), atoms, output, rows, width, units, false, false);
  if (first_order) QueueProduct(work, In(v), atoms, change, rows, width, units, false, false);
  work.Launch<OutputErrorKernel>(
      rows, ThreadsFor(width, OutputErrorKernel::kMaxThreads),
      {In(args.decoder_bias, width), x, In(change), width, static_cast<double>(rows), args.sigmoid_output, output,
       gradient, squares, Global<double>{penalties.data, rows}});
  const Global<double> squared_error = Out(args.squared_error, 1);
  work.Launch<SumKernel>(1, ThreadsFor(rows, SumKernel::kMaxThreads), {In(squares), {}, squared_error});
  work.Launch<SumKernel>(1, ThreadsFor(rows + units, SumKernel::kMaxThreads),
                         {In(penalties), {}, Out(args.penalty, 1)});

  const Global<float> dh = work.Temporary<float>(rows * units);
  Global<float> dv;
  QueueProduct(work, In(gradient), atoms, dh, rows, units, width, false, true);
  if (first_order) {
    dv = work.Temporary<float>(rows * units);
    QueueProduct(work, In(output), atoms, dv, rows, units, width, false, true);
  }
  work.LaunchEach<ActivityGradientKernel>(rows * units, {In(products), bias, In(u), terms.terms, units,
                                                         static_cast<double>(rows), args.activation, dropout, dh, dv});
  const Global<float> out = Out(args.gradient_atoms, units * width);
  QueueProduct(work, In(h), In(gradient), out, units, width, rows, true, false);
  QueueProduct(work, In(dh), seen, out, units, width, rows, true, false, 1, true);
  if (first_order) {
    QueueProduct(work, In(v), In(output), out, units, width, rows, true, false, 1, true);
    QueueProduct(work, In(dv), along, out, units, width, rows, true, false, 1, true);
  }
  work.Launch<AlongAtomsKernel>(units, ThreadsFor(width, AlongAtomsKernel::kMaxThreads),
                                {atoms, terms.terms, width, In(squared_error), out, Out(args.active_rows, units)});
  const ColumnSumsKernel::Args bias_sums{In(dh), rows, units, 1, Out(args.gradient_bias, units)};
  work.Launch<ColumnSumsKernel>(ColumnSumsKernel::Blocks(bias_sums), ThreadsFor(rows * kWarp, 256), bias_sums);
  const ColumnSumsKernel::Args decoder_sums{In(gradient), rows, width, 1, Out(args.gradient_decoder_bias, width)};
  work.Launch<ColumnSumsKernel>(ColumnSumsKernel::Blocks(decoder_sums), ThreadsFor(rows * kWarp, 256), decoder_sums);
}

}  // namespace kwta::cuda
