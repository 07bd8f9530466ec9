#include "core/simd/fixed_order_row.h"

#include <cstddef>

#include "core/base/divide_up.h"
#include "core/simd/intrinsics.h"

// This file is compiled with -ffp-contract=off, as fixed_order_dot.cc is.

namespace kwta::simd {
namespace {

struct RowKernels {
  void (*find_zeros)(const float* x, int64_t stretches, uint64_t* zeros);
  void (*score_units)(const float* x, int64_t n, const int32_t* offsets, int64_t steps, const float* atoms,
                      const float* bias, const int32_t* units, int64_t count, float* out);
};

#define KWTA_KERNELS "core/simd/fixed_order_row.inc"
#include "core/simd/for_each_instruction_set.inc"
#undef KWTA_KERNELS

constexpr int64_t kStretch = 16;

}  // namespace

FixedOrderRow::FixedOrderRow(InstructionSet set) : set_(set) {}

void FixedOrderRow::Prepare(const float* x, int64_t n) {
  x_ = x;
  n_ = n;
  const int64_t stretches = n / kStretch;
  listed_ = false;
  if (stretches == 0) return;
  const int64_t words = DivideUp(stretches, 64);
  zeros_.resize(static_cast<size_t>(words));
  offsets_.resize(static_cast<size_t>(RoundUp(stretches, 4)));
  VersionFor(set_).find_zeros(x, stretches, zeros_.data());
  int64_t zero = -1;
  for (int64_t word = 0; word < words && zero < 0; ++word) {
    if (zeros_[word] != 0) zero = word * 64 + __builtin_ctzll(zeros_[word]);
  }
  // Without a stretch of zeros to pad with, all groups must have the same length.
  if (zero < 0 && stretches % 4 != 0) return;
  listed_ = true;
  // Stretch p belongs to group p % 4. The stretch of zeros pads shorter groups.
  int64_t counts[4] = {};
  for (int64_t word = 0; word < words; ++word) {
    const int64_t here = stretches - word * 64 < 64 ? stretches - word * 64 : 64;
    uint64_t rest = ~zeros_[word] & (~uint64_t{0} >> (64 - here));
    for (; rest != 0; rest &= rest - 1) {
      const int64_t p = word * 64 + __builtin_ctzll(rest);
      offsets_[counts[p % 4]++ * 4 + p % 4] = static_cast<int32_t>(p * kStretch);
    }
  }
  steps_ = 0;
  for (int64_t count : counts) steps_ = count > steps_ ? count : steps_;
  for (int g = 0; g < 4; ++g) {
    for (; counts[g] < steps_; ++counts[g]) offsets_[counts[g] * 4 + g] = static_cast<int32_t>(zero * kStretch);
  }
}

void FixedOrderRow::Score(const float* atoms, const float* bias, const int32_t* units, int64_t count,
                          float* out) const {
  if (listed_) {
    VersionFor(set_).score_units(x_, n_, offsets_.data(), steps_, atoms, bias, units, count, out);
    return;
  }
  const DotFunction dot = FixedOrderDotFor(set_);
  for (int64_t i = 0; i < count; ++i) out[i] = dot(x_, atoms + units[i] * n_, n_) + bias[units[i]];
}

}  // namespace kwta::simd
