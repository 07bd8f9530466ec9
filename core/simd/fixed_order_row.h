// Exact scores of one row for chosen atoms.
#pragma once

#include <cstdint>
#include <vector>

#include "core/simd/fixed_order_dot.h"
#include "core/simd/instruction_sets.h"

namespace kwta::simd {

// Computes FixedOrderDot of a row of floats with atoms, and skips stretches of 16 zeros. Skipping changes no bit: a
// partial sum starts at +0 and so is never -0, and adding a zero of either sign to any other value does not change it.
// Not thread-safe; keeps its memory between rows.
class FixedOrderRow {
 public:
  // REQUIRES: set is in AvailableInstructionSets().
  explicit FixedOrderRow(InstructionSet set);

  // Prepares for x[n]. x must stay alive until the last call of Score.
  void Prepare(const float* x, int64_t n);

  // out[i] = FixedOrderDot(x, atoms + units[i] * n, n) + bias[units[i]] for i < count.
  // REQUIRES: the atoms are finite (a product of zero and infinity is not zero).
  void Score(const float* atoms, const float* bias, const int32_t* units, int64_t count, float* out) const;

 private:
  const InstructionSet set_;
  const float* x_ = nullptr;
  int64_t n_ = 0;
  // Valid if listed_: four offsets for each of steps_ steps, one stretch of each of the four groups of 16 lanes.
  std::vector<int32_t> offsets_;
  std::vector<uint64_t> zeros_;  // one bit per stretch
  int64_t steps_ = 0;
  bool listed_ = false;
};

}  // namespace kwta::simd
