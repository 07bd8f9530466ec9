// Training of a tied dictionary on the oneDNN backend; docs/kernels.md, "A training step".
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/codes/affine_top_k.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/tied/byte_atoms.h"
#include "core/backends/onednn/tied/codes_by_unit.h"
#include "core/backends/onednn/tied/sparse_encoder.h"
#include "core/base/aligned_vector.h"

namespace kwta {

// A tied dictionary with what a step works on, kept for the next one.
class OnednnTiedDictionary final : public TiedDictionary {
 public:
  OnednnTiedDictionary(const OnednnContext& context, const TiedParameters& parameters)
      : TiedDictionary(parameters),
        dictionary(parameters.atoms, parameters.bias, parameters.units, parameters.width),
        sparse(context, parameters) {
    dictionary.set_filter(context.filter == Filter::kFloats ? Filter::kFloats : Filter::kBytes);
    dictionary.set_trains();
  }

  OnednnDictionary dictionary;
  int64_t dictionary_steps = 0;  // for which it may still be updated atom by atom; 0: it must be refreshed
  SparseEncoder sparse;
  CodesByUnit codes;
  AlignedVector<float> residual;   // [rows, width]: xhat - x
  std::vector<float> products;     // [rows, k]: <residual, active atom>
  std::vector<double> row_errors;  // [rows]: |residual|^2
  // Of each thread: operands of a gradient or of a decoded row.
  struct Scratch {
    std::vector<const float*> rows;
    std::vector<float> scales;
    AlignedVector<float> partial;
  };
  std::vector<Scratch> scratch;
};

// As Backend::RefreshTiedDictionary.
void RefreshOnednnTiedDictionary(OnednnTiedDictionary& dictionary);

// As Backend::TiedStep. REQUIRES: args.dictionary is an OnednnTiedDictionary.
absl::Status OnednnTiedStep(OnednnContext& context, const TiedStepArgs& args);

// As Backend::TiedAuxiliaryStep, of the backend that `context` belongs to.
absl::Status OnednnTiedAuxiliaryStep(Backend& backend, OnednnContext& context, const TiedAuxiliaryStepArgs& args);

// As Backend::TiedAtoms.
absl::Status OnednnTiedAtoms(OnednnContext& context, const TiedAtomsArgs& args);

}  // namespace kwta
