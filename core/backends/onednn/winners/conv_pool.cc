#include "core/backends/onednn/winners/conv_pool.h"

#include <algorithm>

#include "core/backends/onednn/winners/convolution_blocks.h"
#include "core/backends/reference/winner_operations.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {

absl::Status ConvPool(support::Context& context, const ConvolutionRowKernels& kernels, const ConvPoolArgs& args) {
  const Convolution convolution{args.filters, args.bias, args.maps, args.size, args.images, args.x};
  if (!FiltersAreFinite(convolution)) {
    ReferenceConvPool(args);
    return absl::OkStatus();
  }
  const Pooling& pooling = args.pooling;
  const int64_t lanes = kernels.lanes;
  const int64_t pooled_height = pooling.Extent(args.images.height);
  const int64_t pooled_width = pooling.Extent(args.images.width);
  const int64_t pooled_positions = pooled_height * pooled_width;
  // Room for a row's maxima, then for those of all rows.
  KWTA_ASSIGN_OR_RETURN(ConvolutionBlocks blocks, ConvolutionBlocks::Create(context, kernels, convolution,
                                                                            (pooled_width + pooled_positions) * lanes));
  blocks.ForEachImage(false, [&](int64_t image, int64_t first, int64_t last, ConvolutionBlocks::Workspace& workspace) {
    PoolRowArgs row;
    row.width = args.images.width;
    row.window = pooling.width;
    row.stride = pooling.stride;
    row.padding = pooling.padding;
    row.pooled_width = pooled_width;
    row.row = workspace.own;
    row.output = workspace.own + pooled_width * lanes;
    for (int64_t block = first; block < last; ++block) {
      std::fill_n(row.output, pooled_positions * lanes, 0.0f);
      blocks.ForEachRow(block, workspace, [&](int64_t y, const float* z) {
        // Windows p with p * stride - padding <= y < p * stride - padding + width.
        const int64_t below = y + pooling.padding - pooling.width;
        row.z = z;
        row.first_row = below < 0 ? 0 : below / pooling.stride + 1;
        row.last_row = std::min((y + pooling.padding) / pooling.stride + 1, pooled_height);
        kernels.pool(row);
      });
      float* const output = args.output + (image * args.maps + block * lanes) * pooled_positions;
      for (int64_t l = 0; l < std::min(lanes, args.maps - block * lanes); ++l) {
        for (int64_t p = 0; p < pooled_positions; ++p) output[l * pooled_positions + p] = row.output[p * lanes + l];
      }
    }
  });
  return absl::OkStatus();
}

}  // namespace kwta::onednn::winners
