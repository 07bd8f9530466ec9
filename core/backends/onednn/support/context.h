// What the operations of the oneDNN backend share.
#pragma once

#include "core/backends/onednn/support/row_operations.h"
#include "core/backends/onednn/support/scratch.h"
#include "core/base/thread_pool.h"
#include "core/simd/instruction_sets.h"

namespace kwta::onednn::support {

// The product that finds the candidates of a code. With kMeasured each dictionary chooses its own (see
// codes/filter_choice.h). Operations without a bf16 product use kBytes instead of kMeasured and kBf16.
enum class Filter { kMeasured, kBytes, kBf16, kFloats };

// One per backend. Thread-safe.
struct Context {
  Context(int threads, simd::InstructionSet instruction_set, Filter filter)
      : pool(threads), instruction_set(instruction_set), filter(filter), rows(RowOperationsFor(instruction_set)) {}

  ThreadPool pool;
  ScratchPool scratch;
  const simd::InstructionSet instruction_set;
  const Filter filter;
  const RowOperations& rows;
};

}  // namespace kwta::onednn::support
