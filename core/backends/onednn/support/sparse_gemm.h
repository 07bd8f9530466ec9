// Products whose left matrix is mostly zeros.
#pragma once

#include "absl/status/statusor.h"
#include "core/backends/backend.h"
#include "core/backends/onednn/support/context.h"

namespace kwta::onednn::support {

// Computes Backend::Gemm from the elements of a that are not zero. Returns false, and writes nothing, if these are so
// many that a dense product is faster. The result has the same bits on any number of threads.
absl::StatusOr<bool> SparseGemm(Context& context, const GemmArgs& args);

}  // namespace kwta::onednn::support
