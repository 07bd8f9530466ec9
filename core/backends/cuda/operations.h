// The operations of CudaBackend that consist of several kernels: queued on `work`.
#pragma once

#include "core/backends/backend.h"
#include "core/backends/cuda/codes.h"
#include "core/backends/cuda/kernels/sparse.h"
#include "core/backends/cuda/work.h"

namespace kwta::cuda {

// The entries of indices[entries] by group (index / divisor), and in a group by entry. Their counts go to `counts` if
// it is given.
Groups SortByGroup(Work& work, Global<const int32_t> indices, int64_t groups, int64_t divisor,
                   Global<int32_t> counts = {});

void QueueProduct(Work& work, Global<const float> a, Global<const float> b, Global<float> c, int64_t m, int64_t n,
                  int64_t k, bool transpose_a, bool transpose_b, float scale = 1, bool add = false);

// What steps know of their atoms. They defer nothing.
class CudaTiedDictionary final : public TiedDictionary {
 public:
  using TiedDictionary::TiedDictionary;

  bool up_to_date = false;  // no atom is deferred: a step was queued as a whole
};

void QueueActiveGradient(Work& work, const ActiveGradientArgs& args);
void QueueTiedStep(Work& work, const TiedStepArgs& args, Filter filter);
void QueueTiedAuxiliaryStep(Work& work, const TiedAuxiliaryStepArgs& args);
void QueueTiedAtoms(Work& work, const TiedAtomsArgs& args);
void QueueConvWinners(Work& work, const ConvWinnersArgs& args);
void QueueWinnerDecode(Work& work, const WinnerDecodeArgs& args);
void QueueWinnerPass(Work& work, const WinnerPassArgs& args);
void QueueConvPool(Work& work, const ConvPoolArgs& args);
void QueueRegularisedPass(Work& work, const RegularisedPassArgs& args);

}  // namespace kwta::cuda
