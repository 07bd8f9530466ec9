// A dictionary rounded to bytes, with what the rounding can do to a score.
//
//   w_j = mean + scale_j q_j + e_j,  q_j whole numbers of at most ByteKernels::weight_limit in magnitude.
// The mean atom is taken off first if atoms resemble each other, because it moves all scores of a row alike: what is
// left to round is smaller, and so is the bound. docs/kernels.md has the proof.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/byte_product.h"
#include "core/backends/onednn/score_bounds.h"
#include "core/base/thread_pool.h"

namespace kwta {

// Const methods are thread-safe; Refresh must be alone.
class QuantisedAtoms {
 public:
  // REQUIRES: width <= kMaxQuantisedWidth; Refresh before first use. Errors: RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<QuantisedAtoms>> Create(ByteProduct product, int64_t units, int64_t width);

  // Takes up atoms[units, width] and bias[units]; does not look at them later. REQUIRES: all are finite, and no atom
  // is longer than 2^100.
  void Refresh(ThreadPool& pool, const float* atoms, const float* bias);

  const ByteKernels& kernels() const { return kernels_; }
  int64_t units() const { return units_; }
  int64_t width() const { return width_; }
  int64_t panels() const { return (units_ + kPanelUnits - 1) / kPanelUnits; }
  AtomPanel panel(int64_t p) const {
    return {weights_.as<int8_t>() + p * panel_bytes_, scales_.data() + p * kPanelUnits, bias_.data() + p * kPanelUnits,
            sums_.data() + p * kPanelUnits};
  }
  // [width], or null if it was not taken off.
  const float* mean() const { return has_mean_ ? mean_.data() : nullptr; }
  // Of score_tile's scores of quantised rows, with the offset <x, mean> in FixedOrderDot's order.
  const UnitBounds& bounds() const { return bounds_; }
  // Of the units of panel p.
  const LargestFactors& panel_factors(int64_t p) const { return panel_factors_[static_cast<size_t>(p)]; }

 private:
  QuantisedAtoms(ByteProduct product, int64_t units, int64_t width, Buffer weights);
  void ChooseMean(ThreadPool& pool, const float* atoms);
  void QuantisePanel(int64_t p, const float* atoms, const float* bias);

  const ByteProduct product_;
  const ByteKernels& kernels_;
  const int64_t units_;
  const int64_t width_;
  const int64_t panel_bytes_;
  Buffer weights_;  // [panels][quads][kPanelUnits][4]
  std::vector<float> scales_, bias_;
  std::vector<int32_t> sums_;
  std::vector<float> mean_;  // [width]
  bool has_mean_ = false;
  double mean_norm_ = 0;
  UnitBounds bounds_;
  std::vector<LargestFactors> panel_factors_;
};

}  // namespace kwta
