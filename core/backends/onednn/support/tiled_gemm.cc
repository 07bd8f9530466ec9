#include "core/backends/onednn/support/tiled_gemm.h"

#include <algorithm>

#include "core/backends/onednn/support/first_error.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::support {
namespace {

// They do not depend on the number of threads, because the library's order of summation may depend on the tiles.
constexpr int64_t kGemmTileRows = 128;
constexpr int64_t kGemmTileColumns = 512;
constexpr int64_t kLanes = 16;

}  // namespace

absl::Status TiledGemm(Context& context, const DnnlGemmArgs& args, bool even) {
  const int64_t row_tiles = DivideUp(args.m, kGemmTileRows);
  const int64_t column_tiles = DivideUp(args.n, kGemmTileColumns);
  const int64_t width = even ? kLanes * DivideUp(DivideUp(args.n, kLanes), column_tiles) : kGemmTileColumns;
  FirstError error;
  context.pool.ParallelFor(row_tiles * column_tiles, 1, [&](int64_t tile, int64_t, int) {
    const int64_t row = tile / column_tiles * kGemmTileRows;
    const int64_t column = tile % column_tiles * width;
    DnnlGemmArgs part = args;
    part.a = args.a + row * (args.transpose_a ? 1 : args.lda);
    part.b = args.b + column * (args.transpose_b ? args.ldb : 1);
    part.c = args.c + row * args.ldc + column;
    part.m = std::min(kGemmTileRows, args.m - row);
    part.n = std::min(width, args.n - column);
    error.Update(DnnlGemm(part));
  });
  return error.status();
}

}  // namespace kwta::onednn::support
