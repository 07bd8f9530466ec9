#include "core/backends/onednn/quantised_atoms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/host_backend.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

// w - mean = scale q + rest.
struct RoundedAtom {
  float scale = 0;
  int32_t sum = 0;          // of q
  double norm = 0;          // |w|
  double rounded_norm = 0;  // |scale q|
  double rest_norm = 0;     // of the rest as computed in binary32
};

struct RoundingKernels {
  void (*add_row)(const float* x, int64_t n, float* sums);
  // bytes[n] = q.
  RoundedAtom (*round_atom)(const float* w, const float* mean, int64_t n, int32_t limit, int8_t* bytes);
};

#define KWTA_KERNELS "core/backends/onednn/quantised_atoms.inc"
#include "core/backends/for_each_instruction_set.inc"
#undef KWTA_KERNELS

const RoundingKernels& RoundingKernelsFor(ByteProduct product) {
  switch (product) {
#if defined(__x86_64__)
    case ByteProduct::kVnni:
    case ByteProduct::kAvx512:
      return avx512::kRoundingKernels;
    case ByteProduct::kAvx2:
      return avx2::kRoundingKernels;
#endif
    default:
      return portable::kRoundingKernels;
  }
}

// Covers the rounding of sums and roots in binary64.
constexpr double kRoundUp = 1 + 0x1p-20;

// Columns of the mean that one range sums.
constexpr int64_t kGrainColumns = 128;

// The mean is taken off if it holds at least this share of the atoms' squared lengths.
constexpr double kShareOfMean = 0.02;

float RoundedUp(double value) {
  const float rounded = static_cast<float>(value);
  return rounded < value ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

}  // namespace

absl::StatusOr<std::unique_ptr<QuantisedAtoms>> QuantisedAtoms::Create(ByteProduct product, int64_t units,
                                                                       int64_t width) {
  const int64_t panels = (units + kPanelUnits - 1) / kPanelUnits;
  KWTA_ASSIGN_OR_RETURN(Buffer weights, AllocateHost(static_cast<size_t>(panels * Quads(width) * kPanelUnits * 4)));
  return std::unique_ptr<QuantisedAtoms>(new QuantisedAtoms(product, units, width, std::move(weights)));
}

QuantisedAtoms::QuantisedAtoms(ByteProduct product, int64_t units, int64_t width, Buffer weights)
    : product_(product),
      kernels_(ByteKernelsFor(product)),
      units_(units),
      width_(width),
      panel_bytes_(Quads(width) * kPanelUnits * 4),
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
}

void QuantisedAtoms::ChooseMean(ThreadPool& pool, const float* atoms) {
  // Any vector would do, so binary32 sums are good enough.
  const RoundingKernels& kernels = RoundingKernelsFor(product_);
  std::fill(mean_.begin(), mean_.end(), 0.0f);
  const int64_t column_ranges = (width_ + kGrainColumns - 1) / kGrainColumns;
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
  // A sample of the atoms tells whether it is worth the product with each row.
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
  mean_norm_ = has_mean_ ? std::sqrt(square) * kRoundUp : 0;
}

void QuantisedAtoms::QuantisePanel(int64_t p, const float* atoms, const float* bias) {
  const RoundingKernels& kernels = RoundingKernelsFor(product_);
  std::vector<int8_t> bytes(static_cast<size_t>(Quads(width_) * 4));
  int8_t* const panel = weights_.as<int8_t>() + p * panel_bytes_;
  const double sum_error = static_cast<double>(DotErrorFactor(width_)) * kRoundUp;
  const double subnormal_error = static_cast<double>(width_) * 0x1p-147;
  LargestFactors& largest = panel_factors_[p];
  largest = LargestFactors();
  const int64_t end = std::min((p + 1) * kPanelUnits, units_);
  for (int64_t unit = p * kPanelUnits; unit < end; ++unit) {
    const RoundedAtom atom =
        kernels.round_atom(atoms + unit * width_, mean_.data(), width_, kernels_.weight_limit, bytes.data());
    for (int64_t quad = 0; quad < Quads(width_); ++quad) {
      std::memcpy(panel + (quad * kPanelUnits + unit % kPanelUnits) * 4, bytes.data() + quad * 4, 4);
    }
    scales_[unit] = atom.scale;
    bias_[unit] = bias[unit];
    sums_[unit] = atom.sum;
    // What binary32 makes of the rest is off by 2^-22 of |w| + |mean| at most.
    const double length = (atom.norm + mean_norm_) * kRoundUp;
    const double rest = atom.rest_norm * kRoundUp + length * 0x1p-22;
    const double rounded = atom.rounded_norm * kRoundUp;
    bounds_.norm_factor[unit] = RoundedUp(rest + sum_error * length + 0x1p-22 * (length + rounded));
    bounds_.residual_factor[unit] = RoundedUp(rounded * (1 + 0x1p-21));
    bounds_.constant[unit] = RoundedUp(std::abs(static_cast<double>(bias[unit])) * 0x1p-22 + subnormal_error);
    largest.norm = std::max(largest.norm, bounds_.norm_factor[unit]);
    largest.residual = std::max(largest.residual, bounds_.residual_factor[unit]);
    largest.constant = std::max(largest.constant, bounds_.constant[unit]);
  }
}

void QuantisedAtoms::Refresh(ThreadPool& pool, const float* atoms, const float* bias) {
  ChooseMean(pool, atoms);
  pool.ParallelFor(panels(), 1, [&](int64_t p, int64_t, int) { QuantisePanel(p, atoms, bias); });
  bounds_.largest_norm_factor = bounds_.largest_residual_factor = bounds_.largest_constant = 0;
  for (const LargestFactors& panel : panel_factors_) {
    bounds_.largest_norm_factor = std::max(bounds_.largest_norm_factor, panel.norm);
    bounds_.largest_residual_factor = std::max(bounds_.largest_residual_factor, panel.residual);
    bounds_.largest_constant = std::max(bounds_.largest_constant, panel.constant);
  }
}

}  // namespace kwta
