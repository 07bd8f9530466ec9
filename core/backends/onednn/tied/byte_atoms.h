// The atoms of a dictionary in training as bytes, packed for SparseProductKernels, with bounds on their distance from
// the current atoms.
#pragma once

#include <cstdint>
#include <vector>

#include "core/backends/backend.h"
#include "core/backends/onednn/tied/sparse_product.h"
#include "core/backends/onednn/tied/tied_kernels.h"
#include "core/base/aligned_vector.h"

namespace kwta::onednn::tied {

// Atoms change a little with every step, which makes the bytes of an atom worse but not wrong. Each update measures the
// bound again, and makes new bytes only when the old ones are 1.4 times as bad as new ones would be.
// Methods for different ranges of 16 units may run at the same time.
class ByteAtoms {
 public:
  // No byte is larger than largest_byte in magnitude, 127 at most.
  ByteAtoms(const TiedParameters& parameters, const TiedKernels& kernels, int32_t largest_byte);

  // Measures the distance of an atom from its bytes. Call this after changing its stored numbers.
  void Update(int64_t unit);
  // As Update, given what update_atom measured with bytes(unit) and scale(unit).
  void Update(int64_t unit, const AtomMeasures& squares);
  const int8_t* bytes(int64_t unit) const { return rows_.data() + unit * padded_width_; }
  float scale(int64_t unit) const { return bounds_.scale[unit]; }
  // Call this after changing an atom's bias, shift or decay.
  void SetBounds(int64_t unit);

  // The bytes of a block of units: [groups][64][4].
  const int8_t* packed(int64_t block) const { return packed_.data() + block * groups_ * kUnitBlock * kGroupInputs; }
  const ByteAtomBounds& bounds() const { return bounds_; }
  // How far the upper bound of a row's score of the unit is from the lower one, but for rounding.
  float gap(const SparseRow& row, int64_t unit) const {
    return bounds_.bias_above[unit] - bounds_.bias_below[unit] +
           row.norm * (bounds_.above[unit] + bounds_.below[unit]) + 2 * row.error * bounds_.length[unit];
  }
  int64_t blocks() const { return blocks_; }
  int64_t groups() const { return groups_; }
  // True if the bounds of a unit hold: its numbers are not NaN and not so large that a sum might overflow. Depends on
  // the stored numbers alone.
  bool usable(int64_t unit) const { return usable_[unit]; }

 private:
  AtomMeasures Measure(int64_t unit) const;
  // Returns lengths in place of their squares.
  AtomMeasures Lengths(AtomMeasures squares) const;
  void MakeBytes(int64_t unit, float largest);

  const TiedParameters p_;
  const TiedKernels& kernels_;
  const float largest_byte_;
  const int64_t groups_;
  const int64_t padded_width_;
  const int64_t blocks_;
  const float offset_norm_;  // >= |offset|
  AlignedVector<int8_t> packed_;
  AlignedVector<int8_t> rows_;  // [units, padded width]: the same bytes
  std::vector<AtomMeasures> measures_;
  std::vector<float> offset_products_;           // [units]: <offset, atom> as it is stored
  std::vector<float> offset_velocity_products_;  // [units]: <offset, velocity>
  std::vector<float> fresh_distance_;            // of new bytes
  std::vector<uint8_t> usable_;
  ByteAtomBounds bounds_;
};

}  // namespace kwta::onednn::tied
