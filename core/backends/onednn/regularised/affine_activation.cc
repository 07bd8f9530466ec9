#include "core/backends/onednn/regularised/affine_activation.h"

#include <algorithm>

#include "core/base/divide_up.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::regularised {
namespace {

// Atoms of a tile stay in the first cache while its rows pass by.
constexpr int64_t kTileUnits = 8;
constexpr int64_t kTileRows = 64;

}  // namespace

absl::Status AffineActivation(support::Context& context, const AffineActivationArgs& args) {
  const simd::DotFunction dot = simd::FixedOrderDotFor(context.instruction_set);
  const int64_t row_tiles = DivideUp(args.rows, kTileRows), unit_tiles = DivideUp(args.units, kTileUnits);
  context.pool.ParallelFor(row_tiles * unit_tiles, 1, [&](int64_t tile, int64_t, int) {
    const int64_t first_row = tile / unit_tiles * kTileRows, first_unit = tile % unit_tiles * kTileUnits;
    const int64_t last_unit = std::min(first_unit + kTileUnits, args.units);
    for (int64_t i = first_row; i < std::min(first_row + kTileRows, args.rows); ++i) {
      for (int64_t j = first_unit; j < last_unit; ++j) {
        const float a = dot(args.x + i * args.width, args.atoms + j * args.width, args.width) + args.bias[j];
        args.output[i * args.units + j] = ActivationAt(args.activation, a).value;
      }
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::regularised
