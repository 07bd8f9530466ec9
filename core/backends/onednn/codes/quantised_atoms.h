// A dictionary rounded to bytes, with what the rounding can do to a score.
//
//   w_j = mean + scale_j q_j + e_j,  q_j whole numbers of at most ByteKernels::weight_limit in magnitude.
// The mean atom is taken off first if atoms resemble each other, because it moves all scores of a row alike: what is
// left to round is smaller, and so is the bound. docs/kernels/codes.md has the proof.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/codes/byte_product.h"
#include "core/base/aligned_vector.h"
#include "core/base/divide_up.h"
#include "core/base/thread_pool.h"

namespace kwta::onednn::codes {

// Const methods are thread-safe; Refresh must be alone, and Update with other units.
class QuantisedAtoms {
 public:
  // Whether atoms change one by one, in training: a copy of the bytes by rows is kept for that.
  enum class Use { kFixed, kTraining };
  static constexpr float kLongestInTraining = 0x1p60f;

  // REQUIRES: width <= kMaxQuantisedWidth; Refresh before first use. Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<QuantisedAtoms>> Create(simd::InstructionSet set, int64_t units, int64_t width,
                                                                Use use = Use::kFixed);

  // Takes up atoms[units, width] and bias[units]; does not look at them later. REQUIRES: all are finite, and no atom
  // is longer than 2^100.
  void Refresh(ThreadPool& pool, const float* atoms, const float* bias);

  // Takes up one atom and its bias, which have changed since the last Refresh, and returns a length that the atom
  // surely does not exceed. Its bytes stay as they are while they are near enough; the bound is measured anew. The mean
  // stays too. If it is not below kLongestInTraining nothing has been taken up. Different units may run at the same
  // time. REQUIRES: Use::kTraining; FinishUpdates before the next use.
  float Update(int64_t unit, const float* atom, float bias);
  void FinishUpdates();

  const ByteKernels& kernels() const { return kernels_; }
  int64_t units() const { return units_; }
  int64_t width() const { return width_; }
  int64_t panels() const { return DivideUp(units_, kPanelUnits); }
  AtomPanel panel(int64_t p) const {
    return {weights_.as<int8_t>() + p * panel_bytes_, scales_.data() + p * kPanelUnits, bias_.data() + p * kPanelUnits,
            sums_.data() + p * kPanelUnits};
  }
  // [width], or null if it was not taken off.
  const float* mean() const { return has_mean_ ? mean_.data() : nullptr; }
  // The bounds of score_tile's scores of quantised rows, with the offset <x, mean> in FixedOrderDot's order.
  const UnitBounds& bounds() const { return bounds_; }
  // The largest factors of the units of panel p.
  const LargestFactors& panel_factors(int64_t p) const { return panel_factors_[static_cast<size_t>(p)]; }

 private:
  // Bounds of the lengths of an atom, of what its bytes stand for, and of the rest.
  struct Lengths {
    double atom = 0, rounded = 0, rest = 0;
  };
  QuantisedAtoms(simd::InstructionSet set, int64_t units, int64_t width, Buffer weights, Use use);
  void ChooseMean(ThreadPool& pool, const float* atoms);
  void QuantisePanel(int64_t p, const float* atoms, const float* bias);
  // Makes the bytes of a unit. `bytes` has room for a row of them.
  Lengths QuantiseAtom(int64_t unit, const float* atom, int8_t* bytes);
  void SetBounds(int64_t unit, const Lengths& lengths, float bias);
  int8_t* Row(int64_t unit) { return rows_.data() + unit * Quads(width_) * 4; }

  const simd::InstructionSet set_;
  const ByteKernels& kernels_;
  const int64_t units_;
  const int64_t width_;
  const int64_t panel_bytes_;
  Buffer weights_;  // [panels][quads][kPanelUnits][4]
  std::vector<float> scales_, bias_;
  std::vector<int32_t> sums_;
  AlignedVector<float> mean_;  // [width]
  bool has_mean_ = false;
  double mean_norm_ = 0;
  UnitBounds bounds_;
  std::vector<LargestFactors> panel_factors_;
  // For Update only.
  AlignedVector<int8_t> rows_;          // [units][quads][4]: the same bytes by rows
  std::vector<float> fresh_rest_;       // [units]: bound of the rest when the bytes were new
  std::vector<double> rounded_length_;  // [units]
};

}  // namespace kwta::onednn::codes
