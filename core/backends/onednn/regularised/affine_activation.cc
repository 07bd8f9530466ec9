#include "core/backends/onednn/regularised/affine_activation.h"

#include <algorithm>
#include <vector>

#include "core/backends/onednn/regularised/affine_kernels.h"
#include "core/base/divide_up.h"

namespace kwta::onednn::regularised {
namespace {

// The atoms of a tile stay in the first cache while its rows pass by.
constexpr int64_t kTileRows = 64;

}  // namespace

absl::Status AffineActivation(support::Context& context, const AffineActivationArgs& args) {
  const AffineKernels& kernels = AffineKernelsFor(context.instruction_set);
  const int64_t row_tiles = DivideUp(args.rows, kTileRows), unit_tiles = DivideUp(args.units, kDots);
  const int64_t stride = DivideUp(args.width, kTileInputs * kTileClasses);
  std::vector<int32_t> all_tiles(args.rows * stride * kTileClasses);
  std::vector<RowTiles> rows(args.rows);
  context.pool.ParallelFor(args.rows, kTileRows, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      rows[i].tiles = all_tiles.data() + i * stride * kTileClasses;
      rows[i].stride = stride;
      kernels.list_tiles(args.x + i * args.width, args.width, &rows[i]);
    }
  });
  context.pool.ParallelFor(row_tiles * unit_tiles, 1, [&](int64_t tile, int64_t, int) {
    const int64_t first_row = tile / unit_tiles * kTileRows, unit = tile % unit_tiles * kDots;
    const int64_t units = std::min(kDots, args.units - unit);
    for (int64_t i = first_row; i < std::min(first_row + kTileRows, args.rows); ++i) {
      float* const output = args.output + i * args.units + unit;
      kernels.dots(args.x + i * args.width, args.width, rows[i], args.atoms + unit * args.width, units, output);
      for (int64_t u = 0; u < units; ++u) output[u] += args.bias[unit + u];
      if (args.pre_activations) continue;
      for (int64_t u = 0; u < units; ++u) output[u] = ActivationAt(args.activation, output[u]).value;
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::regularised
