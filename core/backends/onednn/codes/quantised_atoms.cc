#include "core/backends/onednn/codes/quantised_atoms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/simd/fixed_order_dot.h"
#include "core/simd/intrinsics.h"
#include "core/simd/sums_in_16_bits.h"

namespace kwta::onednn::codes {
namespace {

// w - mean = scale q + rest.
struct RoundedAtom {
  float scale = 0;
  int32_t sum = 0;          // of q
  double norm = 0;          // |w|
  double rounded_norm = 0;  // |scale q|
  double rest_norm = 0;     // of the rest as computed in binary32
};

// Sums of squares, rounded as binary32 arithmetic does.
struct AtomSquares {
  float length = 0;  // of w
  float rest = 0;    // of w - mean - scale q
};

struct RoundingKernels {
  void (*add_row)(const float* x, int64_t n, float* sums);
  // The largest sums of elements of w - mean, if a step is so many quads.
  simd::LargestSums (*find_largest_sums)(const float* w, const float* mean, int64_t n, int64_t step_quads);
  // bytes[n] = q. At most levels_of_one, which may be infinite, stand for one.
  RoundedAtom (*round_atom)(const float* w, const float* mean, int64_t n, float levels_of_one, int8_t* bytes);
  // rest[n] = w - mean - scale bytes.
  void (*subtract_bytes)(const float* w, const float* mean, const int8_t* bytes, float scale, int64_t n, float* rest);
  AtomSquares (*measure_atom)(const float* w, const float* mean, const int8_t* bytes, float scale, int64_t n);
};

#define KWTA_KERNELS "core/backends/onednn/codes/quantised_atoms.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

const RoundingKernels& RoundingKernelsFor(simd::InstructionSet set) { return VersionFor(set); }

RoundedAtom Round(const RoundingKernels& rounding, const ByteKernels& products, const float* w, const float* mean,
                  int64_t n, int64_t step_quads, int8_t* bytes) {
  float levels_of_one = std::numeric_limits<float>::infinity();
  if (products.sums_in_16_bits) {
    const simd::LargestSums largest = rounding.find_largest_sums(w, mean, n, step_quads);
    levels_of_one = simd::MostLevels(largest, step_quads > 1 ? 2 * step_quads : 0);
  }
  return rounding.round_atom(w, mean, n, levels_of_one, bytes);
}

// With more units the product takes most of the time, and long steps pay. With fewer, exact scores do: the finer
// weights of short steps ask for fewer of them, and short steps skip more zeros.
constexpr int64_t kManyUnits = 2048;

// A dictionary of fewer weights has no second layer: it is often in use for a single batch.
constexpr int64_t kFineWeights = int64_t{1} << 17;

// Whether the second layer of a dictionary pays. With many units and 127 levels the first one leaves so few that
// reading their second layer takes as long as it saves.
bool WantsFineAtoms(const ByteKernels& kernels, int64_t units, int64_t width) {
  return units * width >= kFineWeights && (kernels.sums_in_16_bits || units <= kManyUnits);
}

// Columns of the mean that one range sums.
constexpr int64_t kGrainColumns = 128;

// The bytes of an atom in training may become this much worse than new ones.
constexpr float kStale = 2;

// The mean is subtracted if it holds at least this share of the atoms' squared lengths.
constexpr double kShareOfMean = 0.02;

}  // namespace

absl::StatusOr<std::unique_ptr<QuantisedAtoms>> QuantisedAtoms::Create(simd::InstructionSet set, int64_t units,
                                                                       int64_t width, Use use) {
  const int64_t panels = DivideUp(units, kPanelUnits);
  KWTA_ASSIGN_OR_RETURN(Buffer weights,
                        AllocateHostZeroed(static_cast<size_t>(panels * Quads(width) * kPanelUnits * 4)));
  std::unique_ptr<QuantisedAtoms> atoms(new QuantisedAtoms(set, units, width, std::move(weights), use));
  if (atoms->step_quads_ > 1) {
    KWTA_ASSIGN_OR_RETURN(atoms->step_starts_,
                          AllocateHostZeroed(static_cast<size_t>(panels * atoms->panel_starts_) * sizeof(int16_t)));
  }
  if (use == Use::kFixed && WantsFineAtoms(atoms->kernels_, units, width)) {
    KWTA_ASSIGN_OR_RETURN(atoms->fine_bytes_, AllocateHostZeroed(static_cast<size_t>(units * PaddedWidth(width))));
    FineAtoms& fine = atoms->fine_;
    fine.bytes = atoms->fine_bytes_.as<int8_t>();
    fine.scales.resize(static_cast<size_t>(units));
    fine.sums.resize(static_cast<size_t>(units));
    for (auto* factors : {&fine.bounds.norm_factor, &fine.bounds.residual_factor, &fine.bounds.constant}) {
      factors->resize(static_cast<size_t>(units));
    }
  }
  return atoms;
}

QuantisedAtoms::QuantisedAtoms(simd::InstructionSet set, int64_t units, int64_t width, Buffer weights, Use use)
    : set_(set),
      kernels_(ByteKernelsFor(set)),
      units_(units),
      width_(width),
      step_quads_(kernels_.sums_in_16_bits && (units > kManyUnits || use == Use::kDenseTraining) ? kStepQuads : 1),
      panel_bytes_(Quads(width) * kPanelUnits * 4),
      panel_starts_(Quads(width) / kStepQuads * kPanelUnits * 2),
      weights_(std::move(weights)) {
  const size_t padded_units = static_cast<size_t>(panels() * kPanelUnits);
  scales_.assign(padded_units, 0);
  bias_.assign(padded_units, -std::numeric_limits<float>::infinity());
  sums_.assign(padded_units, 0);
  mean_.assign(static_cast<size_t>(width), 0);
  panel_factors_.resize(static_cast<size_t>(panels()));
  for (auto* factors : {&bounds_.norm_factor, &bounds_.residual_factor, &bounds_.constant}) {
    factors->assign(static_cast<size_t>(units), 0);
  }
  if (use == Use::kFixed) return;
  rows_.resize(static_cast<size_t>(units * Quads(width) * 4));
  fresh_rest_.resize(static_cast<size_t>(units));
  rounded_length_.resize(static_cast<size_t>(units));
}

void QuantisedAtoms::ChooseMean(ThreadPool& pool, const float* atoms) {
  // Any vector would do, so binary32 sums are good enough.
  const RoundingKernels& kernels = RoundingKernelsFor(set_);
  std::fill(mean_.begin(), mean_.end(), 0.0f);
  const int64_t column_ranges = DivideUp(width_, kGrainColumns);
  pool.ParallelFor(column_ranges, 1, [&](int64_t range, int64_t, int) {
    const int64_t begin = range * kGrainColumns;
    const int64_t count = std::min(kGrainColumns, width_ - begin);
    for (int64_t unit = 0; unit < units_; ++unit) {
      kernels.add_row(atoms + unit * width_ + begin, count, mean_.data() + begin);
    }
  });
  const float factor = 1 / static_cast<float>(units_);
  double square = 0;
  for (float& value : mean_) {
    value *= factor;
    square += static_cast<double>(value) * value;
  }
  // A sample of the atoms shows whether the mean is worth its product with each row.
  double atom_squares = 0;
  const int64_t step = std::max<int64_t>(1, units_ / 64);
  int64_t sampled = 0;
  for (int64_t unit = 0; unit < units_; unit += step, ++sampled) {
    for (int64_t d = 0; d < width_; ++d) {
      const double weight = atoms[unit * width_ + d];
      atom_squares += weight * weight;
    }
  }
  has_mean_ = square * static_cast<double>(sampled) > kShareOfMean * atom_squares;
  if (!has_mean_) std::fill(mean_.begin(), mean_.end(), 0.0f);
  mean_norm_ = has_mean_ ? std::sqrt(square) * kLengthRoundUp : 0;
}

QuantisedAtoms::Lengths QuantisedAtoms::QuantiseAtom(int64_t unit, const float* atom, int8_t* bytes) {
  const RoundedAtom rounded = Round(RoundingKernelsFor(set_), kernels_, atom, mean_.data(), width_, step_quads_, bytes);
  int8_t* const panel = weights_.as<int8_t>() + unit / kPanelUnits * panel_bytes_ + unit % kPanelUnits * 4;
  for (int64_t quad = 0; quad < Quads(width_); ++quad) std::memcpy(panel + quad * kPanelUnits * 4, bytes + quad * 4, 4);
  if (step_quads_ > 1) SetStepStarts(unit, bytes);
  scales_[unit] = rounded.scale;
  sums_[unit] = rounded.sum;
  return {rounded.norm * kLengthRoundUp, rounded.rounded_norm * kLengthRoundUp, rounded.rest_norm * kLengthRoundUp};
}

void QuantisedAtoms::SetStepStarts(int64_t unit, const int8_t* bytes) {
  int16_t* const starts = step_starts_.as<int16_t>() + unit / kPanelUnits * panel_starts_ + unit % kPanelUnits * 2;
  for (int64_t step = 0; step < Quads(width_) / kStepQuads; ++step) {
    int32_t sums[2] = {};
    for (int64_t b = 0; b < kStepQuads * 4; ++b) sums[b % 4 / 2] += bytes[step * kStepQuads * 4 + b];
    for (int half = 0; half < 2; ++half) {
      starts[step * kPanelUnits * 2 + half] = static_cast<int16_t>(-simd::kMiddleByte * sums[half]);
    }
  }
}

void QuantisedAtoms::SetBounds(int64_t unit, const Lengths& lengths, float bias) {
  const double sum_error = static_cast<double>(simd::DotErrorFactor(width_)) * kLengthRoundUp;
  const double subnormal_error = static_cast<double>(width_) * 0x1p-147;
  bias_[unit] = bias;
  // Binary32 rounds the rest by 2^-22 of |w| + |mean| + |rounded| at most.
  const double length = (lengths.atom + mean_norm_) * kLengthRoundUp;
  const double rest = lengths.rest + (length + lengths.rounded) * 0x1p-22;
  bounds_.norm_factor[unit] = RoundedUp(rest + sum_error * length + 0x1p-22 * (length + lengths.rounded));
  bounds_.residual_factor[unit] = RoundedUp(lengths.rounded * (1 + 0x1p-21));
  bounds_.constant[unit] = RoundedUp(std::abs(static_cast<double>(bias)) * 0x1p-22 + subnormal_error);
}

void QuantisedAtoms::QuantiseRest(int64_t unit, const float* atom, const int8_t* bytes, const Lengths& lengths) {
  const RoundingKernels& kernels = RoundingKernelsFor(set_);
  std::vector<float> rest(static_cast<size_t>(width_)), no_mean(static_cast<size_t>(width_));
  kernels.subtract_bytes(atom, mean_.data(), bytes, scales_[unit], width_, rest.data());
  int8_t* const fine = fine_bytes_.as<int8_t>() + unit * PaddedWidth(width_);
  const RoundedAtom rounded = Round(kernels, kernels_, rest.data(), no_mean.data(), width_, 1, fine);
  fine_.scales[unit] = rounded.scale;
  fine_.sums[unit] = rounded.sum;
  const double sum_error = static_cast<double>(simd::DotErrorFactor(width_)) * kLengthRoundUp;
  const double length = (lengths.atom + mean_norm_) * kLengthRoundUp;
  const double fine_length = rounded.rounded_norm * kLengthRoundUp;
  // As in SetBounds. Binary32 rounds both rests, and the first layer's score.
  fine_.bounds.norm_factor[unit] = RoundedUp(rounded.rest_norm * kLengthRoundUp + sum_error * length +
                                             0x1p-21 * (length + lengths.rounded + fine_length));
  fine_.bounds.residual_factor[unit] = RoundedUp((lengths.rounded + fine_length) * (1 + 0x1p-21));
  fine_.bounds.constant[unit] = bounds_.constant[unit];
}

void QuantisedAtoms::QuantisePanel(int64_t p, const float* atoms, const float* bias) {
  std::vector<int8_t> bytes(static_cast<size_t>(Quads(width_) * 4));
  const int64_t end = std::min((p + 1) * kPanelUnits, units_);
  for (int64_t unit = p * kPanelUnits; unit < end; ++unit) {
    const bool trains = !rows_.empty();
    const Lengths lengths = QuantiseAtom(unit, atoms + unit * width_, trains ? Row(unit) : bytes.data());
    SetBounds(unit, lengths, bias[unit]);
    if (fine() != nullptr) QuantiseRest(unit, atoms + unit * width_, bytes.data(), lengths);
    if (!trains) continue;
    fresh_rest_[unit] = static_cast<float>(lengths.rest);
    rounded_length_[unit] = lengths.rounded;
  }
}

float QuantisedAtoms::Update(int64_t unit, const float* atom, float bias) {
  const auto measure = [&] {
    const AtomSquares squares =
        RoundingKernelsFor(set_).measure_atom(atom, mean_.data(), Row(unit), scales_[unit], width_);
    return AtomSquares{NormBound(squares.length, width_), NormBound(squares.rest, width_)};
  };
  AtomSquares lengths = measure();
  if (!(lengths.length < kLongestInTraining)) return lengths.length;
  if (!(lengths.rest <= kStale * fresh_rest_[unit])) {
    rounded_length_[unit] = QuantiseAtom(unit, atom, Row(unit)).rounded;
    lengths = measure();
    fresh_rest_[unit] = lengths.rest;
  }
  SetBounds(unit, {lengths.length, rounded_length_[unit], lengths.rest}, bias);
  return lengths.length;
}

void QuantisedAtoms::FinishUpdates() {
  bounds_.largest_norm_factor = bounds_.largest_residual_factor = bounds_.largest_constant = 0;
  for (int64_t p = 0; p < panels(); ++p) {
    LargestFactors& largest = panel_factors_[p];
    largest = LargestFactors();
    const int64_t end = std::min((p + 1) * kPanelUnits, units_);
    for (int64_t unit = p * kPanelUnits; unit < end; ++unit) {
      largest.norm = std::max(largest.norm, bounds_.norm_factor[unit]);
      largest.residual = std::max(largest.residual, bounds_.residual_factor[unit]);
      largest.constant = std::max(largest.constant, bounds_.constant[unit]);
    }
    bounds_.largest_norm_factor = std::max(bounds_.largest_norm_factor, largest.norm);
    bounds_.largest_residual_factor = std::max(bounds_.largest_residual_factor, largest.residual);
    bounds_.largest_constant = std::max(bounds_.largest_constant, largest.constant);
  }
}

void QuantisedAtoms::Refresh(ThreadPool& pool, const float* atoms, const float* bias) {
  ChooseMean(pool, atoms);
  pool.ParallelFor(panels(), 1, [&](int64_t p, int64_t, int) { QuantisePanel(p, atoms, bias); });
  FinishUpdates();
}

}  // namespace kwta::onednn::codes
