#include "core/backends/onednn/tied/byte_atoms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/backends/onednn/codes/bounds.h"
#include "core/base/divide_up.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::tied {
namespace {

// Bytes may become this much worse than new ones.
constexpr float kStale = 1.4f;
// Numbers below kSmallest are not worth bytes. Numbers above kLargest are not trusted.
constexpr float kSmallest = 0x1p-80f;
constexpr float kLargest = 0x1p40f;

float NormOf(const float* x, int64_t n) { return x == nullptr ? 0 : codes::NormBound(simd::FixedOrderDot(x, x, n), n); }

}  // namespace

ByteAtoms::ByteAtoms(const TiedParameters& parameters, const TiedKernels& kernels, int32_t largest_byte)
    : p_(parameters),
      kernels_(kernels),
      largest_byte_(static_cast<float>(largest_byte)),
      groups_(DivideUp(p_.width, kGroupInputs)),
      padded_width_(RoundUp(p_.width, 64)),
      blocks_(DivideUp(p_.units, kUnitBlock)),
      offset_norm_(NormOf(p_.offset, p_.width)),
      packed_(static_cast<size_t>(blocks_ * groups_ * kUnitBlock * kGroupInputs)),
      rows_(static_cast<size_t>(p_.units * padded_width_)),
      measures_(static_cast<size_t>(p_.units)),
      offset_products_(static_cast<size_t>(p_.units)),
      offset_velocity_products_(static_cast<size_t>(p_.units)),
      fresh_distance_(static_cast<size_t>(p_.units), -1),
      usable_(static_cast<size_t>(p_.units)) {
  const size_t padded = static_cast<size_t>(blocks_ * kUnitBlock);
  for (AlignedVector<float>* bound : {&bounds_.scale, &bounds_.above, &bounds_.below, &bounds_.length}) {
    bound->assign(padded, 0);
  }
  bounds_.bias_above.assign(padded, -std::numeric_limits<float>::infinity());
  bounds_.bias_below.assign(padded, -std::numeric_limits<float>::infinity());
}

void ByteAtoms::Update(int64_t unit) { Update(unit, Measure(unit)); }

void ByteAtoms::Update(int64_t unit, const AtomMeasures& squares) {
  AtomMeasures& measures = measures_[unit];
  measures = Lengths(squares);
  const float distance = std::max(measures.above, measures.below);
  // This form makes new bytes for NaN, too.
  if (!(distance <= kStale * fresh_distance_[unit])) {
    MakeBytes(unit, measures.largest);
    measures = Lengths(Measure(unit));
    fresh_distance_[unit] = std::max(measures.above, measures.below);
  }
  if (p_.offset != nullptr) {
    offset_products_[unit] = simd::FixedOrderDot(p_.offset, p_.atoms + unit * p_.width, p_.width);
    offset_velocity_products_[unit] = simd::FixedOrderDot(p_.offset, p_.atom_velocity + unit * p_.width, p_.width);
  }
  SetBounds(unit);
}

AtomMeasures ByteAtoms::Measure(int64_t unit) const {
  return kernels_.measure(p_.atoms + unit * p_.width, p_.atom_velocity + unit * p_.width, bytes(unit), scale(unit),
                          p_.width);
}

AtomMeasures ByteAtoms::Lengths(AtomMeasures squares) const {
  for (float* sum : {&squares.above, &squares.below, &squares.length, &squares.velocity}) {
    *sum = codes::NormBound(*sum, p_.width);
  }
  return squares;
}

void ByteAtoms::SetBounds(int64_t unit) {
  const AtomMeasures& measures = measures_[unit];
  const float offset_product = offset_products_[unit] + p_.shift[unit] * offset_velocity_products_[unit];
  const float bias = p_.bias[unit] - offset_product;
  const float drift = p_.shift[unit] * measures.velocity;
  // The most that rounding may add, in units of |y| and of |offset|: in bringing the atom up to date, in its exact
  // score, and in the approximate score and its bounds.
  const float length = (measures.length + drift) * (1 + 0x1p-10f);
  usable_[unit] = length < kLargest && std::abs(p_.bias[unit]) < kLargest && offset_norm_ < kLargest;
  const float size = length + measures.above + measures.below;
  const float rounding = (simd::DotErrorFactor(p_.width) + 0x1p-18f) * size;
  const float tiny = 0x1p-90f;
  bounds_.above[unit] = (measures.above + drift) * (1 + 0x1p-18f) + rounding + tiny;
  bounds_.below[unit] = (measures.below + drift) * (1 + 0x1p-18f) + rounding + tiny;
  bounds_.length[unit] = size * (1 + 0x1p-10f);
  // Rounding affects the products with the offset, its part of the exact score, and sums of all of them.
  const float offset_rounding = offset_norm_ * (3 * simd::DotErrorFactor(p_.width) + 0x1p-17f) * size;
  const float room = std::abs(p_.bias[unit]) * 0x1p-18f + offset_rounding + tiny;
  bounds_.bias_above[unit] = bias + room;
  bounds_.bias_below[unit] = bias - room;
}

void ByteAtoms::MakeBytes(int64_t unit, float largest) {
  const bool sound = largest > kSmallest && largest < kLargest;
  const float scale = sound ? largest / largest_byte_ : 0;
  const float inverse = sound ? largest_byte_ / largest : 0;
  bounds_.scale[unit] = scale;
  const float* atom = p_.atoms + unit * p_.width;
  int8_t* bytes = rows_.data() + unit * padded_width_;
  if (sound) {
    kernels_.to_bytes(atom, inverse, p_.width, bytes);
  } else {
    std::fill_n(bytes, p_.width, int8_t{0});
  }
  const int64_t block = unit / kUnitBlock;
  int8_t* packed = packed_.data() + (block * groups_ * kUnitBlock + unit % kUnitBlock) * kGroupInputs;
  for (int64_t g = 0; g < groups_; ++g) {
    std::memcpy(packed + g * kUnitBlock * kGroupInputs, bytes + g * kGroupInputs, kGroupInputs);
  }
}

}  // namespace kwta::onednn::tied
