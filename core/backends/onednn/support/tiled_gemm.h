// Matrix products on all threads of a backend.
#pragma once

#include "absl/status/status.h"
#include "core/backends/onednn/support/context.h"
#include "core/backends/onednn/support/dnnl_gemm.h"

namespace kwta::onednn::support {

// DnnlGemm in tiles. The result has the same bits on any number of threads. With `even`, the tiles are as equally wide
// as can be, so that two threads have the same work. Errors: as DnnlGemm.
absl::Status TiledGemm(Context& context, const DnnlGemmArgs& args, bool even = false);

}  // namespace kwta::onednn::support
