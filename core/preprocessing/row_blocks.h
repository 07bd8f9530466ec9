// Reads a data set in order and in blocks.
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "core/base/thread_pool.h"
#include "core/io/datasets/dataset.h"
#include "core/preprocessing/preprocessor.h"

namespace kwta {

// Calls visit(x, rows) with consecutive blocks of all rows of `data`, after the steps of `preprocessor` and before its
// mean. x is valid during the call. Blocks do not depend on the number of threads. Stops at the first error of visit or
// of a step.
absl::Status ForEachBlock(const Dataset& data, const Preprocessor& preprocessor, ThreadPool& pool,
                          const std::function<absl::Status(const float* x, int64_t rows)>& visit);

}  // namespace kwta
