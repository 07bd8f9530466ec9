// Operations on codes and on tied dictionaries.
#include <algorithm>
#include <limits>

#include "core/backends/cuda/kernels/candidates.h"
#include "core/backends/cuda/kernels/scores.h"
#include "core/backends/cuda/kernels/tied.h"
#include "core/backends/cuda/operations.h"

namespace kwta::cuda {

void QueueProduct(Work& work, Global<const float> a, Global<const float> b, Global<float> c, int64_t m, int64_t n,
                  int64_t k, bool transpose_a, bool transpose_b, float scale, bool add) {
  // A library's product has an order of summation of its own: that is fine where only the tolerance of binary32 counts.
  constexpr int64_t kLeast = int64_t{1} << 18;
  if (m * n * k >= kLeast && work.device().has_products() &&
      work.FloatProduct({a.data, b.data, c.data, m, n, k, transpose_a, transpose_b, add, scale})) {
    return;
  }
  const ProductKernel::Args args{a, b, c, m, n, k, transpose_a, transpose_b, add, scale};
  work.Launch<ProductKernel>(ProductKernel::Blocks(args), ProductKernel::kMaxThreads, args);
}

Groups SortByGroup(Work& work, Global<const int32_t> indices, int64_t groups, int64_t divisor, Global<int32_t> counts) {
  // Kernels number them in 32 bits.
  constexpr int64_t kMostEntries = std::numeric_limits<int32_t>::max();
  if (indices.size > kMostEntries) {
    work.Refuse(TooLarge("entries of codes", indices.size, kMostEntries));
    return {};
  }
  Groups sorted;
  sorted.counts = IsNull(counts) ? work.Temporary<int32_t>(groups) : counts;
  sorted.starts = work.Temporary<int32_t>(groups);
  sorted.cursors = work.Temporary<int32_t>(groups);
  sorted.entries = work.Temporary<int32_t>(indices.size);
  const Global<int32_t> scattered = work.Temporary<int32_t>(indices.size);
  work.Clear(sorted.counts);
  work.Clear(sorted.cursors);
  work.LaunchEach<CountKernel>(indices.size, {indices, divisor, sorted.counts});
  work.Launch<ScanKernel>(1, ThreadsFor(groups, ScanKernel::kMaxThreads), {In(sorted.counts), sorted.starts});
  work.LaunchEach<ScatterKernel>(indices.size, {indices, In(sorted.starts), divisor, sorted.cursors, scattered});
  work.LaunchEach<SortGroupsKernel>(
      indices.size, {indices, In(sorted.counts), In(sorted.starts), In(scattered), divisor, sorted.entries});
  return sorted;
}

void QueueActiveGradient(Work& work, const ActiveGradientArgs& args) {
  ActiveGradientKernel::Args gradient;
  gradient.groups =
      SortByGroup(work, In(args.indices, args.rows * args.k), args.units, 1, Out(args.active_rows, args.units));
  gradient.dz = In(args.dz, args.rows * args.k);
  gradient.atoms = In(args.atoms, args.units * args.width);
  gradient.x = In(args.x, args.rows * args.width);
  if (args.x == nullptr) {
    gradient.x_values = In(args.x_values, args.rows * args.x_k);
    gradient.x_indices = In(args.x_indices, args.rows * args.x_k);
  }
  gradient.k = args.k;
  gradient.x_k = args.x_k;
  gradient.width = args.width;
  gradient.decay = args.decay;
  gradient.gradient_atoms = Out(args.gradient_atoms, args.units * args.width);
  gradient.gradient_bias = Out(args.gradient_bias, args.units);
  work.Launch<ActiveGradientKernel>(args.units, ThreadsFor(args.width, ActiveGradientKernel::kMaxThreads), gradient);
}

namespace {

void QueueUpToDate(Work& work, const TiedParameters& p, Global<float> atoms, Global<float> velocity) {
  const int64_t size = p.units * p.width;
  work.Launch<BringUpToDateKernel>(p.units, ThreadsFor(p.width, BringUpToDateKernel::kMaxThreads),
                                   {Out(p.atoms, size), Out(p.atom_velocity, size), Out(p.shift, p.units),
                                    Out(p.decay, p.units), p.width, atoms, velocity});
}

// In place, unless steps have left nothing to do.
void BringUpToDate(Work& work, const TiedDictionary& dictionary) {
  const auto& own = static_cast<const CudaTiedDictionary&>(dictionary);
  if (!own.up_to_date) QueueUpToDate(work, own.parameters, {}, {});
}

CodesArgs CodesOf(const TiedParameters& p, const float* x, int64_t rows, int64_t k) {
  CodesArgs codes;
  codes.x = In(x, rows * p.width);
  codes.atoms = In(p.atoms, p.units * p.width);
  codes.bias = In(p.bias, p.units);
  codes.rows = rows;
  codes.units = p.units;
  codes.width = p.width;
  codes.k = k;
  return codes;
}

// What both kinds of steps do from the codes on.
struct GradientStep {
  const CodesArgs& codes;
  Global<const float> target;
  float sign;  // of the target
  Global<const float> decoder_bias;
  Global<float> residual;
  Global<double> squared_error;
  Global<const int32_t> unit_count;  // or none: no units, no error
  float scale;
};

// The residual, its error and dz; then everything of the update's arguments but the rates and what they update.
TiedUpdateKernel::Args QueueGradient(Work& work, const GradientStep& step) {
  const CodesArgs& codes = step.codes;
  const int64_t entries = codes.rows * codes.k;
  const Global<double> squares = work.Temporary<double>(codes.rows);
  DecodeKernel::Args decode;
  decode.atoms = codes.atoms;
  decode.bias = step.decoder_bias;
  decode.target = step.target;
  decode.values = In(codes.values);
  decode.indices = In(codes.indices);
  decode.k = codes.k;
  decode.width = codes.width;
  decode.sign = step.sign;
  decode.output = step.residual;
  decode.squares = squares;
  work.Launch<DecodeKernel>(codes.rows, ThreadsFor(codes.width, DecodeKernel::kMaxThreads), decode);
  work.Launch<SumKernel>(1, ThreadsFor(codes.rows, SumKernel::kMaxThreads),
                         {In(squares), step.unit_count, step.squared_error});
  const Global<float> dz = work.Temporary<float>(entries);
  ListedDotsKernel::Args dots;
  dots.x = In(step.residual);
  dots.atoms = codes.atoms;
  dots.width = codes.width;
  dots.units = In(codes.indices);
  dots.k = codes.k;
  dots.scale = step.scale;
  dots.dots = dz;
  work.Launch<ListedDotsKernel>(codes.rows, ListedDotsKernel::kMaxThreads, dots);
  TiedUpdateKernel::Args update;
  update.groups = SortByGroup(work, In(codes.indices), codes.units, 1);
  update.x = codes.x;
  update.residual = In(step.residual);
  update.values = In(codes.values);
  update.dz = In(dz);
  update.rows = codes.rows;
  update.k = codes.k;
  update.width = codes.width;
  update.scale = step.scale;
  update.gate = In(step.squared_error);
  return update;
}

void QueueUpdate(Work& work, const TiedParameters& p, TiedUpdateKernel::Args& update) {
  update.unit_norm = p.unit_norm;
  update.atoms = Out(p.atoms, p.units * p.width);
  update.velocity = Out(p.atom_velocity, p.units * p.width);
  update.bias = Out(p.bias, p.units);
  update.bias_velocity = Out(p.bias_velocity, p.units);
  work.Launch<TiedUpdateKernel>(p.units, ThreadsFor(p.width, TiedUpdateKernel::kMaxThreads), update);
}

}  // namespace

void QueueTiedStep(Work& work, const TiedStepArgs& args, Filter filter) {
  const TiedParameters& p = args.dictionary->parameters;
  BringUpToDate(work, *args.dictionary);
  CodesArgs codes = CodesOf(p, args.x, args.rows, args.k);
  codes.indices = Out(args.indices, args.rows * args.k);
  codes.values = Out(args.values, args.rows * args.k);
  if (UsesFilter(work.device(), filter, p.units)) {
    codes.rounded = {work.Temporary<uint16_t>(p.units * RoundedWidth(p.width)), work.Temporary<float>(p.units)};
    RoundAtoms(work, codes.atoms, p.units, p.width, codes.rounded);
  }
  FindCodes(work, codes);
  const int64_t elements = args.rows * p.width;
  const Global<float> residual =
      args.residual != nullptr ? Out(args.residual, elements) : work.Temporary<float>(elements);
  const float scale = 2.0f / static_cast<float>(args.rows);
  const Global<double> squared_error = Out(args.squared_error, 1);
  TiedUpdateKernel::Args update =
      QueueGradient(work, {codes, codes.x, -1, In(p.decoder_bias, p.width), residual, squared_error, {}, scale});
  update.rate = args.rate;
  update.momentum = args.momentum;
  update.active_rows = Out(args.active_rows, p.units);
  update.idle_rows = Out(args.idle_rows, p.units);
  QueueUpdate(work, p, update);

  const Global<float> gradient = work.Temporary<float>(p.width);
  const ColumnSumsKernel::Args sums{In(residual), args.rows, p.width, 2.0 / static_cast<double>(args.rows), gradient};
  work.Launch<ColumnSumsKernel>(ColumnSumsKernel::Blocks(sums), ThreadsFor(args.rows * kWarp, 256), sums);
  MomentumKernel::Args decoder;
  decoder.parameter = Out(p.decoder_bias, p.width);
  decoder.velocity = Out(p.decoder_velocity, p.width);
  decoder.gradient = In(gradient);
  decoder.gate = In(squared_error);
  decoder.width = p.width;
  decoder.rate = args.rate;
  decoder.momentum = args.momentum;
  work.Launch<MomentumKernel>(1, ThreadsFor(p.width, MomentumKernel::kMaxThreads), decoder);
}

void QueueTiedAuxiliaryStep(Work& work, const TiedAuxiliaryStepArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  BringUpToDate(work, *args.dictionary);
  const Global<int32_t> dead = work.Temporary<int32_t>(p.units), count = work.Temporary<int32_t>(1);
  work.Launch<ListKernel>(1, ListKernel::kMaxThreads,
                          {{}, In(args.idle_rows, p.units), p.units, args.dead_after_rows, false, dead, count});
  const int64_t k = std::min(args.k, p.units), elements = args.rows * p.width;
  CodesArgs codes = CodesOf(p, args.x, args.rows, k);
  codes.unit_list = In(dead);
  codes.unit_count = In(count);
  codes.indices = work.Temporary<int32_t>(args.rows * k);
  codes.values = work.Temporary<float>(args.rows * k);
  FindCodes(work, codes);
  const float scale = 2 * args.weight / static_cast<float>(args.rows);
  TiedUpdateKernel::Args update = QueueGradient(work, {codes,
                                                       In(args.residual, elements),
                                                       1,
                                                       {},
                                                       work.Temporary<float>(elements),
                                                       Out(args.squared_error, 1),
                                                       In(count),
                                                       scale});
  update.rate = args.rate;
  update.auxiliary = true;
  QueueUpdate(work, p, update);
}

void QueueTiedAtoms(Work& work, const TiedAtomsArgs& args) {
  const TiedParameters& p = args.dictionary->parameters;
  QueueUpToDate(work, p, Out(args.atoms, p.units * p.width), Out(args.atom_velocity, p.units * p.width));
}

}  // namespace kwta::cuda
