// What the operations of the oneDNN backend share.
#pragma once

#include "core/backends/onednn/kernels.h"
#include "core/backends/onednn/scratch.h"
#include "core/base/thread_pool.h"

namespace kwta {

struct OnednnContext {
  explicit OnednnContext(int threads) : pool(threads), kernels(KernelsFor(AvailableInstructionSets().front())) {}

  ThreadPool pool;
  ScratchPool scratch;
  const Kernels& kernels;
};

}  // namespace kwta
