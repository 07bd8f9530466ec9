// What the operations of the oneDNN backend share.
#pragma once

#include "core/backends/onednn/codes/byte_product.h"
#include "core/backends/onednn/codes/top_k_select.h"
#include "core/backends/onednn/support/kernels.h"
#include "core/backends/onednn/support/scratch.h"
#include "core/backends/onednn/tied/sparse_dots.h"
#include "core/backends/onednn/tied/sparse_filter.h"
#include "core/backends/onednn/tied/tied_kernels.h"
#include "core/base/thread_pool.h"

namespace kwta {

// What finds the candidates of a code. Each dictionary has its own if it is kMeasured (see filter_choice.h); operations
// for which there is no bf16 take bytes then, and with kBf16.
enum class Filter { kMeasured, kBytes, kBf16, kFloats };

struct OnednnContext {
  OnednnContext(int threads, InstructionSet instruction_set, ByteProduct byte_product, Filter filter)
      : pool(threads),
        instruction_set(instruction_set),
        byte_product(byte_product),
        filter(filter),
        kernels(KernelsFor(instruction_set)),
        tied_kernels(TiedKernelsFor(instruction_set)),
        select_top_k(SelectTopKFor(instruction_set)),
        sparse_filter(SparseFilterKernelsFor(byte_product)),
        sparse_dots(SparseDotsFor(instruction_set)) {}

  ThreadPool pool;
  ScratchPool scratch;
  const InstructionSet instruction_set;
  const ByteProduct byte_product;
  const Filter filter;
  const Kernels& kernels;
  const TiedKernels& tied_kernels;
  const TopKFunction select_top_k;
  const SparseFilterKernels& sparse_filter;
  const SparseDotsFunction sparse_dots;
};

}  // namespace kwta
