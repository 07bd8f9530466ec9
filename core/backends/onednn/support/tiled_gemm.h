// Matrix products on all threads of a backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/dnnl_gemm.h"

namespace kwta::onednn::support {

// DnnlGemm in tiles. The result has the same bits on any number of threads. Errors: as DnnlGemm.
absl::Status TiledGemm(Context& context, const DnnlGemmArgs& args);

}  // namespace kwta::onednn::support
