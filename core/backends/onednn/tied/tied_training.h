// Training of a tied dictionary on the oneDNN backend; docs/kernels/tied.md, "A training step".
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "core/backends/host_backend.h"
#include "core/backends/onednn/codes/affine_top_k.h"
#include "core/backends/onednn/codes/dictionary.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/tied/byte_atoms.h"
#include "core/backends/onednn/tied/codes_by_unit.h"
#include "core/backends/onednn/tied/sparse_encoder.h"
#include "core/backends/onednn/tied/tied_kernels.h"
#include "core/base/aligned_vector.h"

namespace kwta::onednn::tied {

// A tied dictionary with what a step works on, kept for the next one.
class DictionaryInTraining final : public TiedDictionary {
 public:
  DictionaryInTraining(const support::Context& context, const TiedParameters& parameters)
      : TiedDictionary(parameters),
        kernels(TiedKernelsFor(context.instruction_set)),
        dictionary(parameters.atoms, parameters.bias, parameters.units, parameters.width),
        sparse(context, parameters) {
    dictionary.set_filter(context.filter == support::Filter::kFloats ? support::Filter::kFloats
                                                                     : support::Filter::kBytes);
    dictionary.set_trains();
  }

  const TiedKernels& kernels;
  codes::PreparedDictionary dictionary;
  int64_t dictionary_steps = 0;  // for which it may still be updated atom by atom; 0: it must be refreshed
  SparseEncoder sparse;
  CodesByUnit codes;
  AlignedVector<float> residual;   // [rows, width]: xhat - x
  std::vector<float> products;     // [rows, k]: <residual, active atom>
  std::vector<double> row_errors;  // [rows]: |residual|^2
  // Operands of a gradient or of a decoded row, for one thread.
  struct Scratch {
    std::vector<const float*> rows;
    std::vector<float> scales;
    AlignedVector<float> partial;
  };
  std::vector<Scratch> scratch;
};

// As Backend::RefreshTiedDictionary.
void RefreshTiedDictionary(DictionaryInTraining& dictionary);

// As Backend::TiedStep. REQUIRES: args.dictionary is an DictionaryInTraining.
absl::Status TiedStep(support::Context& context, const TiedStepArgs& args);

// As Backend::TiedAuxiliaryStep, of the backend that `context` belongs to.
absl::Status TiedAuxiliaryStep(HostBackend& backend, support::Context& context, const TiedAuxiliaryStepArgs& args);

// As Backend::TiedAtoms.
absl::Status TiedAtoms(support::Context& context, const TiedAtomsArgs& args);

}  // namespace kwta::onednn::tied
