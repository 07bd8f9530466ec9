// A dictionary rounded to bytes, with bounds on the effect of the rounding on a score.
//
//   w_j = mean + scale_j q_j + e_j,  q_j whole numbers of at most kLargestWeight in magnitude,
//                                      less where ByteKernels::sums_in_16_bits.
//
// If atoms resemble each other, the mean atom is subtracted first, because it moves all scores of a row alike. The
// remainder is smaller, and so is the bound. docs/kernels/codes.md has the proof.
//
// A large dictionary that does not change has a second layer of bytes, row by row: e_j = scale'_j q'_j + e'_j.
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

// The second layer of bytes.
struct FineAtoms {
  const int8_t* bytes = nullptr;  // [units, PaddedWidth(width)], zero beyond the width; for ByteKernels::row_products
  std::vector<float> scales;      // [units]
  std::vector<int32_t> sums;      // [units]: of each unit's bytes
  // The bounds of score_tile's scores plus the products of this layer.
  UnitBounds bounds;
};

// Const methods are thread-safe. Refresh must be alone; Update may run only with updates of other units.
class QuantisedAtoms {
 public:
  // Whether atoms change one by one, in training. If so, a copy of the bytes is kept by rows. kDenseTraining: rows have
  // few zeros to skip, so that long steps pay.
  enum class Use { kFixed, kTraining, kDenseTraining };
  static constexpr float kLongestInTraining = 0x1p60f;

  // REQUIRES: width <= kMaxQuantisedWidth; Refresh before first use. Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<QuantisedAtoms>> Create(simd::InstructionSet set, int64_t units, int64_t width,
                                                                Use use = Use::kFixed);

  // Copies atoms[units, width] and bias[units], and does not read them later. REQUIRES: all are finite, and no atom is
  // longer than 2^100.
  void Refresh(ThreadPool& pool, const float* atoms, const float* bias);

  // Copies one atom and its bias after a change, and returns an upper bound of the atom's length. Keeps its bytes while
  // they are close enough, and measures the bound anew. Keeps the mean. If the returned length is not below
  // kLongestInTraining, nothing has been copied. Different units may run at the same time.
  // REQUIRES: not Use::kFixed; FinishUpdates before the next use.
  float Update(int64_t unit, const float* atom, float bias);
  void FinishUpdates();

  const ByteKernels& kernels() const { return kernels_; }
  int64_t units() const { return units_; }
  int64_t width() const { return width_; }
  // For RowTiles::Build.
  int64_t step_quads() const { return step_quads_; }
  int64_t panels() const { return DivideUp(units_, kPanelUnits); }
  AtomPanel panel(int64_t p) const {
    return {weights_.as<int8_t>() + p * panel_bytes_, scales_.data() + p * kPanelUnits, bias_.data() + p * kPanelUnits,
            sums_.data() + p * kPanelUnits,
            step_quads_ > 1 ? step_starts_.as<const int16_t>() + p * panel_starts_ : nullptr};
  }
  // [width], or null if no mean was subtracted.
  const float* mean() const { return has_mean_ ? mean_.data() : nullptr; }
  // The bounds of score_tile's scores of quantised rows, with the offset <x, mean> in FixedOrderDot's order.
  const UnitBounds& bounds() const { return bounds_; }
  // The second layer, or null.
  const FineAtoms* fine() const { return fine_.bytes != nullptr ? &fine_ : nullptr; }
  // The largest factors of the units of panel p.
  const LargestFactors& panel_factors(int64_t p) const { return panel_factors_[static_cast<size_t>(p)]; }

 private:
  // Upper bounds of the lengths of an atom, of the vector that its bytes stand for, and of the rest.
  struct Lengths {
    double atom = 0, rounded = 0, rest = 0;
  };
  QuantisedAtoms(simd::InstructionSet set, int64_t units, int64_t width, Buffer weights, Use use);
  void ChooseMean(ThreadPool& pool, const float* atoms);
  void QuantisePanel(int64_t p, const float* atoms, const float* bias);
  // Computes the bytes of a unit. `bytes` has room for a row of them.
  Lengths QuantiseAtom(int64_t unit, const float* atom, int8_t* bytes);
  // Computes AtomPanel::step_starts of a unit from its row of bytes.
  void SetStepStarts(int64_t unit, const int8_t* bytes);
  void SetBounds(int64_t unit, const Lengths& lengths, float bias);
  // Computes the second layer of an atom from its bytes in the first.
  void QuantiseRest(int64_t unit, const float* atom, const int8_t* bytes, const Lengths& lengths);
  int8_t* Row(int64_t unit) { return rows_.data() + unit * Quads(width_) * 4; }

  const simd::InstructionSet set_;
  const ByteKernels& kernels_;
  const int64_t units_;
  const int64_t width_;
  const int64_t step_quads_;
  const int64_t panel_bytes_;
  const int64_t panel_starts_;
  Buffer weights_;      // [panels][quads][kPanelUnits][4]
  Buffer step_starts_;  // [panels][quads / kStepQuads][kPanelUnits][2]
  std::vector<float> scales_, bias_;
  std::vector<int32_t> sums_;
  AlignedVector<float> mean_;  // [width]
  bool has_mean_ = false;
  double mean_norm_ = 0;
  UnitBounds bounds_;
  std::vector<LargestFactors> panel_factors_;
  Buffer fine_bytes_;
  FineAtoms fine_;
  // For Update only.
  AlignedVector<int8_t> rows_;          // [units][quads][4]: the same bytes by rows
  std::vector<float> fresh_rest_;       // [units]: bound of the rest when the bytes were new
  std::vector<double> rounded_length_;  // [units]
};

}  // namespace kwta::onednn::codes
