#include "core/backends/onednn/dictionary.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/backends/fixed_order_dot.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Covers the rounding of a binary64 sum of squares and of its root.
constexpr double kRoundUp = 1 + 0x1p-20;

// DotErrorFactor's.
constexpr int64_t kWidthLimit = int64_t{1} << 20;

constexpr int64_t kGrainUnits = 64;

float RoundedUp(double value) {
  const float rounded = static_cast<float>(value);
  return rounded < value ? std::nextafter(rounded, std::numeric_limits<float>::infinity()) : rounded;
}

}  // namespace

absl::Status OnednnDictionary::Refresh(OnednnContext& context) {
  for (auto* factors : {&float_bounds_.norm_factor, &float_bounds_.residual_factor, &float_bounds_.constant}) {
    factors->resize(static_cast<size_t>(units));
  }
  std::vector<double> norms(static_cast<size_t>(units));
  context.pool.ParallelFor(units, kGrainUnits, [&](int64_t begin, int64_t end, int) {
    for (int64_t unit = begin; unit < end; ++unit) {
      norms[unit] = std::sqrt(context.kernels.squared_norm(atoms + unit * width, width)) * kRoundUp;
    }
  });
  // Each of the two sums is within DotErrorFactor(width) |x| |w| + width 2^-149 of the exact product (width 2^-149 for
  // products that are subnormal), and adding the bias rounds each by at most 2^-24 of the result.
  const double error_factor = width < kWidthLimit ? 2 * static_cast<double>(DotErrorFactor(width)) + 0x1p-22 : 0;
  const double subnormal_error = static_cast<double>(width) * 0x1p-147;
  largest_norm_ = width < kWidthLimit ? 0 : kInfinity;
  largest_bias_ = 0;
  for (int64_t unit = 0; unit < units; ++unit) {
    const double magnitude = std::abs(static_cast<double>(bias[unit]));
    largest_norm_ = std::isfinite(norms[unit]) ? std::max(largest_norm_, norms[unit]) : kInfinity;
    largest_bias_ = std::isfinite(magnitude) ? std::max(largest_bias_, magnitude) : kInfinity;
    float_bounds_.norm_factor[unit] = RoundedUp(error_factor * norms[unit]);
    float_bounds_.constant[unit] = RoundedUp(magnitude * 0x1p-22 + subnormal_error);
  }
  float_bounds_.largest_norm_factor = RoundedUp(error_factor * largest_norm_);
  float_bounds_.largest_constant = RoundedUp(largest_bias_ * 0x1p-22 + subnormal_error);
  const bool sound = largest_norm_ < 0x1p100 && largest_bias_ < 0x1p100;
  has_quantised_ = sound && filter_ != Filter::kFloats && width <= kMaxQuantisedWidth;
  if (has_quantised_) {
    if (quantised_ == nullptr) {
      KWTA_ASSIGN_OR_RETURN(quantised_, QuantisedAtoms::Create(context.byte_product, units, width));
    }
    quantised_->Refresh(context.pool, atoms, bias);
  }
  has_bf16_ = sound && filter_ == Filter::kBf16;
  if (has_bf16_) {
    if (bf16_ == nullptr) {
      KWTA_ASSIGN_OR_RETURN(bf16_, Bf16Atoms::Create(units, width));
    }
    KWTA_RETURN_IF_ERROR(bf16_->Refresh(context.pool, context.kernels, atoms, bias));
  }
  return absl::OkStatus();
}

}  // namespace kwta
