// Training of a tied dictionary on the oneDNN backend; docs/kernels/tied.md, "A training step".
#pragma once

#include <cstdint>
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

// A tied dictionary with the working memory of a step, which the next step reuses.
class DictionaryInTraining final : public TiedDictionary {
 public:
  DictionaryInTraining(const support::Context& context, const TiedParameters& parameters)
      : TiedDictionary(parameters),
        kernels(TiedKernelsFor(context.instruction_set)),
        dictionary(parameters.atoms, parameters.bias, parameters.units, parameters.width),
        sparse(context, parameters) {
    dictionary.set_filter(context.filter == support::Filter::kFloats ? support::Filter::kFloats
                                                                     : support::Filter::kBytes);
    Disturb();
  }

  // Call this after changing atoms or velocities other than by a step.
  void Disturb() { rests.assign(static_cast<size_t>(parameters.units), 0); }

  const TiedKernels& kernels;
  codes::PreparedDictionary dictionary;
  bool prepared = false;         // the dictionary knows what rows it trains on
  int64_t dictionary_steps = 0;  // steps for which atom-by-atom updates suffice; 0: it needs a refresh
  SparseEncoder sparse;
  // [units]: 1 if the velocity is zero and the atom has been brought up to date since. A step without a gradient then
  // leaves both as they are, bit for bit.
  std::vector<uint8_t> rests;
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

// Implements Backend::RefreshTiedDictionary.
void RefreshTiedDictionary(DictionaryInTraining& dictionary);

// Implements Backend::TiedStep. REQUIRES: args.dictionary is a DictionaryInTraining.
absl::Status TiedStep(support::Context& context, const TiedStepArgs& args);

// Implements Backend::TiedAuxiliaryStep for `backend`, which owns `context`.
absl::Status TiedAuxiliaryStep(HostBackend& backend, support::Context& context, const TiedAuxiliaryStepArgs& args);

// Implements Backend::TiedAtoms.
absl::Status TiedAtoms(support::Context& context, const TiedAtomsArgs& args);

}  // namespace kwta::onednn::tied
