// What the operations of the oneDNN backend share.
#pragma once

#include "core/backends/onednn/kernels.h"
#include "core/backends/onednn/scratch.h"
#include "core/backends/onednn/tied_kernels.h"
#include "core/base/thread_pool.h"

namespace kwta {

struct OnednnContext {
  explicit OnednnContext(int threads)
      : pool(threads),
        kernels(KernelsFor(AvailableInstructionSets().front())),
        tied_kernels(TiedKernelsFor(AvailableInstructionSets().front())) {}

  ThreadPool pool;
  ScratchPool scratch;
  const Kernels& kernels;
  const TiedKernels& tied_kernels;
};

}  // namespace kwta
