#include "core/backends/onednn/support/dnnl_gemm.h"

#include <dnnl.h>

#include "absl/strings/str_cat.h"
#include "core/backends/onednn/support/library_call.h"

namespace kwta::onednn::support {

absl::Status DnnlGemm(const DnnlGemmArgs& args) {
  const LibraryCall call;
  const dnnl_status_t status = dnnl_sgemm(args.transpose_a ? 'T' : 'N', args.transpose_b ? 'T' : 'N', args.m, args.n,
                                          args.k, 1.0f, args.a, args.lda, args.b, args.ldb, 0.0f, args.c, args.ldc);
  if (status == dnnl_success) return absl::OkStatus();
  if (status == dnnl_out_of_memory) {
    return absl::ResourceExhaustedError(
        "oneDNN had no memory for a matrix product; use fewer units or smaller batches");
  }
  return absl::InternalError(absl::StrCat("oneDNN failed with status ", static_cast<int>(status),
                                          " on a matrix product of ", args.m, " x ", args.k, " x ", args.n));
}

}  // namespace kwta::onednn::support
