// What the operations of the oneDNN backend share.
#pragma once

#include "core/backends/onednn/kernels.h"
#include "core/backends/onednn/scratch.h"
#include "core/backends/onednn/tied_kernels.h"
#include "core/backends/onednn/top_k_select.h"
#include "core/base/thread_pool.h"

namespace kwta {

struct OnednnContext {
  explicit OnednnContext(int threads)
      : pool(threads),
        kernels(KernelsFor(AvailableInstructionSets().front())),
        tied_kernels(TiedKernelsFor(AvailableInstructionSets().front())),
        select_top_k(SelectTopKFor(AvailableInstructionSets().front())) {}

  ThreadPool pool;
  ScratchPool scratch;
  const Kernels& kernels;
  const TiedKernels& tied_kernels;
  const TopKFunction select_top_k;
};

}  // namespace kwta
