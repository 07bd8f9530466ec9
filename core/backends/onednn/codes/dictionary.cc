#include "core/backends/onednn/codes/dictionary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/backends/onednn/codes/bounds.h"
#include "core/base/status_macros.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::codes {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Exceeds the length of any vector of subnormal elements, which training loops may treat as zero.
constexpr double kFlushed = 0x1p-100;

// The limit of DotErrorFactor.
constexpr int64_t kWidthLimit = int64_t{1} << 20;

constexpr int64_t kNormGrainUnits = 64;

}  // namespace

void PreparedDictionary::Watch(support::Filter first, std::string reason) {
  std::vector<support::Filter> filters = {support::Filter::kBytes, support::Filter::kFloats};
  if (first == support::Filter::kBf16) filters.push_back(first);
  // Bytes serve calls of few rows whatever the filter.
  filter_ = first == support::Filter::kBf16 ? first : support::Filter::kBytes;
  watch_ = std::make_unique<FilterWatch>(std::move(filters), first, std::move(reason));
}

EncodingPath PreparedDictionary::path() const {
  if (watch_ == nullptr) return {FilterName(filter_), "it was asked for, or the dictionary is too small to matter"};
  return {FilterName(watch_->filter()), watch_->reason()};
}

float PreparedDictionary::NormFactor(double norm) const {
  // Each of the two sums is within DotErrorFactor(width) |x| |w| + width 2^-149 of the exact product (width 2^-149
  // covers subnormal products). Adding the bias rounds each by at most 2^-24 of the result.
  const double error_factor = width < kWidthLimit ? 2 * static_cast<double>(simd::DotErrorFactor(width)) + 0x1p-22 : 0;
  return RoundedUp(error_factor * norm);
}

float PreparedDictionary::Constant(double magnitude) const {
  return RoundedUp(magnitude * 0x1p-22 + static_cast<double>(width) * 0x1p-147);
}

void PreparedDictionary::SetFloatBounds(int64_t unit) {
  float_bounds_.norm_factor[unit] = NormFactor(norms_[unit]);
  float_bounds_.constant[unit] = Constant(std::abs(static_cast<double>(bias[unit])));
}

bool PreparedDictionary::SetLargest() {
  largest_norm_ = width < kWidthLimit ? 0 : kInfinity;
  largest_bias_ = 0;
  for (int64_t unit = 0; unit < units; ++unit) {
    const double magnitude = std::abs(static_cast<double>(bias[unit]));
    largest_norm_ = std::isfinite(norms_[unit]) ? std::max(largest_norm_, norms_[unit]) : kInfinity;
    largest_bias_ = std::isfinite(magnitude) ? std::max(largest_bias_, magnitude) : kInfinity;
  }
  float_bounds_.largest_norm_factor = NormFactor(largest_norm_);
  float_bounds_.largest_constant = Constant(largest_bias_);
  return largest_norm_ < 0x1p100 && largest_bias_ < 0x1p100;
}

absl::Status PreparedDictionary::Refresh(support::Context& context) {
  norms_.resize(static_cast<size_t>(units));
  for (auto* factors : {&float_bounds_.norm_factor, &float_bounds_.residual_factor, &float_bounds_.constant}) {
    factors->resize(static_cast<size_t>(units));
  }
  context.pool.ParallelFor(units, kNormGrainUnits, [&](int64_t begin, int64_t end, int) {
    for (int64_t unit = begin; unit < end; ++unit) {
      norms_[unit] = std::sqrt(context.rows.squared_norm(atoms + unit * width, width)) * kLengthRoundUp;
      SetFloatBounds(unit);
    }
  });
  const bool sound = SetLargest();
  has_quantised_ = sound && filter_ != support::Filter::kFloats && width <= kMaxQuantisedWidth;
  if (has_quantised_) {
    if (quantised_ == nullptr) {
      KWTA_ASSIGN_OR_RETURN(quantised_, QuantisedAtoms::Create(context.instruction_set, units, width, use_));
    }
    quantised_->Refresh(context.pool, atoms, bias);
  }
  has_bf16_ = sound && filter_ == support::Filter::kBf16;
  if (has_bf16_) {
    if (bf16_ == nullptr) {
      KWTA_ASSIGN_OR_RETURN(bf16_, Bf16Atoms::Create(units, width));
    }
    KWTA_RETURN_IF_ERROR(bf16_->Refresh(context.pool, context.rows, atoms, bias));
  }
  return absl::OkStatus();
}

void PreparedDictionary::Update(const support::Context& context, int64_t unit) {
  const float* atom = atoms + unit * width;
  norms_[unit] = has_quantised_ ? quantised_->Update(unit, atom, bias[unit])
                                : std::sqrt(context.rows.squared_norm(atom, width)) * kLengthRoundUp + kFlushed;
  SetFloatBounds(unit);
}

bool PreparedDictionary::FinishUpdates() {
  if (!SetLargest() || !(largest_norm_ < QuantisedAtoms::kLongestInTraining)) return false;
  if (has_quantised_) quantised_->FinishUpdates();
  return true;
}

}  // namespace kwta::onednn::codes
