// AffineTopK of the oneDNN backend.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/context.h"

namespace kwta {

// A dictionary with the lengths of its atoms, which bound the errors of approximate scores.
class OnednnDictionary final : public Dictionary {
 public:
  // REQUIRES: Refresh before first use.
  OnednnDictionary(const float* atoms, const float* bias, int64_t units, int64_t width)
      : Dictionary(atoms, bias, units, width), atom_norms_(static_cast<size_t>(units)) {}

  void Refresh(OnednnContext& context);

  // |atom|, rounded up.
  const std::vector<double>& atom_norms() const { return atom_norms_; }
  // The largest of them; infinite if any is not finite.
  double largest_norm() const { return largest_norm_; }
  // The largest |bias|; infinite if any is not finite.
  double largest_bias() const { return largest_bias_; }

 private:
  std::vector<double> atom_norms_;
  double largest_norm_ = 0;
  double largest_bias_ = 0;
};

// As Backend::AffineTopK. REQUIRES: args.dictionary is an OnednnDictionary.
absl::Status OnednnAffineTopK(OnednnContext& context, const AffineTopKArgs& args);

}  // namespace kwta
