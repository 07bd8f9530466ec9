#include "core/backends/onednn/support/sparse_gemm.h"

#include <numeric>
#include <vector>

#include "core/backends/onednn/support/scratch.h"
#include "core/backends/onednn/support/sparse_products.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::support {
namespace {

// Below these shares of elements that are not zero, sums over these elements beat dense products.
constexpr double kSparseRows = 0.5;
constexpr double kSparseRowsTransposed = 0.4;
constexpr int64_t kCompressedRows = 8;  // that a thread takes at once

}  // namespace

absl::StatusOr<bool> SparseGemm(Context& context, const GemmArgs& args) {
  SparseRows a;
  a.rows = args.m;
  a.stride = SparseRows::StrideFor(args.k);
  const int64_t room = a.rows * a.stride;
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease memory, context.scratch.Take(room * (sizeof(float) + sizeof(int32_t))));
  a.values = memory.as<float>();
  a.indices = reinterpret_cast<int32_t*>(memory.as<float>() + room);
  std::vector<int32_t> counts(a.rows);
  a.counts = counts.data();
  const SparseKernels& kernels = SparseKernelsFor(context.instruction_set);
  context.pool.ParallelFor(a.rows, kCompressedRows, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      a.counts[i] = static_cast<int32_t>(
          kernels.compress(args.a + i * args.k, nullptr, args.k, a.indices + i * a.stride, a.values + i * a.stride));
    }
  });
  const auto entries = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const double share = args.transpose_b ? kSparseRowsTransposed : kSparseRows;
  if (entries > share * static_cast<double>(args.m) * static_cast<double>(args.k)) return false;
  if (args.transpose_b) {
    SparseTimesTransposedArgs product;
    product.a = a;
    product.b = args.b;
    product.inner = args.k;
    product.n = args.n;
    product.out = args.c;
    product.out_stride = args.n;
    KWTA_RETURN_IF_ERROR(SparseTimesTransposed(context, product));
  } else {
    SparseTimesDenseArgs product;
    product.a = a;
    product.b = args.b;
    product.inner = args.k;
    product.n = args.n;
    product.out = args.c;
    SparseTimesDense(context, product);
  }
  return true;
}

}  // namespace kwta::onednn::support
