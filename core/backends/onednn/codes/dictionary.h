// The oneDNN backend's dictionary.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/bf16_atoms.h"
#include "core/backends/onednn/codes/bounds.h"
#include "core/backends/onednn/codes/filter_watch.h"
#include "core/backends/onednn/codes/quantised_atoms.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::codes {

// A dictionary with the data that code filters need: copies rounded to bytes or bf16, and bounds on the distance
// between approximate and exact scores.
class PreparedDictionary final : public Dictionary {
 public:
  // REQUIRES: Refresh before first use.
  using Dictionary::Dictionary;

  // Selects the copies that Refresh makes; the default is kBytes. REQUIRES: not kMeasured.
  void set_filter(support::Filter filter) { filter_ = filter; }
  // Lets AffineTopK choose between bytes, binary32 and, if Refresh makes that copy, bf16. Starts with `first`.
  void Watch(support::Filter first, std::string reason);
  // Null if the filter is not to change. Thread-safe, whoever uses the dictionary.
  FilterWatch* watch() const { return watch_.get(); }
  EncodingPath path() const override;
  uint64_t path_changes() const override { return watch_ == nullptr ? 0 : watch_->changes(); }

  // Prepares for Update, for rows with few zeros or many. REQUIRES: before the first Refresh, and the filter is not
  // kBf16.
  void set_trains(bool dense) { use_ = dense ? QuantisedAtoms::Use::kDenseTraining : QuantisedAtoms::Use::kTraining; }

  // Copies the current atoms and biases. Errors: RESOURCE_EXHAUSTED.
  absl::Status Refresh(support::Context& context);

  // Copies one atom and its bias. Call FinishUpdates after updating all that have changed since the last Refresh.
  // Different units may run at the same time. REQUIRES: set_trains.
  void Update(const support::Context& context, int64_t unit);
  // Returns false if numbers are so large that the dictionary needs a Refresh.
  bool FinishUpdates();

  // The length of the longest atom, rounded up; infinite if any is not finite.
  double largest_norm() const { return largest_norm_; }
  // The largest |bias|; infinite if any is not finite.
  double largest_bias() const { return largest_bias_; }
  // The bounds of scores that are binary32 products summed in any order.
  const UnitBounds& float_bounds() const { return float_bounds_; }
  // Null if the atoms cannot be rounded to bytes, or the filter does not want them.
  const QuantisedAtoms* quantised() const { return has_quantised_ ? quantised_.get() : nullptr; }
  // Null if there is no copy in bf16.
  const Bf16Atoms* bf16() const { return has_bf16_ ? bf16_.get() : nullptr; }

 private:
  float NormFactor(double norm) const;
  float Constant(double magnitude) const;
  void SetFloatBounds(int64_t unit);
  // Computes the largest norm, bias and factors of all units. Returns false if scores could overflow.
  bool SetLargest();

  std::vector<double> norms_;  // [units], rounded up
  UnitBounds float_bounds_;
  double largest_norm_ = 0;
  double largest_bias_ = 0;
  std::unique_ptr<QuantisedAtoms> quantised_;
  bool has_quantised_ = false;
  std::unique_ptr<Bf16Atoms> bf16_;
  bool has_bf16_ = false;
  support::Filter filter_ = support::Filter::kBytes;
  std::unique_ptr<FilterWatch> watch_;
  QuantisedAtoms::Use use_ = QuantisedAtoms::Use::kFixed;
};

}  // namespace kwta::onednn::codes
