#include "core/backends/onednn/winners/winner_decode.h"

#include <algorithm>
#include <vector>

#include "core/backends/onednn/winners/interleaved_winner_decode.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

// Rows of filters that one range of threads copies, and winners that are worth waking a thread for.
constexpr int64_t kDecodeGrainRows = 4096;
constexpr int64_t kGrainWinners = 64;

}  // namespace

absl::Status WinnerResidual(support::Context& context, const PatchKernels& kernels, const WinnerResidualArgs& args) {
  const ImageBatch& images = args.images;
  if (images.channels >= kInterleavedChannels) return InterleavedWinnerResidual(context, kernels, args);
  const int64_t lanes = kernels.lanes;
  PlacedFilters filters;
  filters.size = args.size;
  filters.span = (args.size + lanes - 2) / lanes + 1;
  filters.stride = filters.span * lanes;
  const int64_t filter_rows = args.maps * images.channels * args.size;
  const int64_t filter_floats = RoundUp(lanes - 1 + filter_rows * filters.stride, 16);
  const int64_t margin = DivideUp((args.size - 1) / 2, lanes) * lanes;
  const int64_t image_stride = margin + (DivideUp(images.width, lanes) + filters.span - 1) * lanes;
  const int64_t image_floats = RoundUp(images.channels * images.height * image_stride, 16);
  KWTA_ASSIGN_OR_RETURN(
      support::ScratchPool::Lease lease,
      context.scratch.Take(static_cast<size_t>(filter_floats + context.pool.threads() * image_floats) * sizeof(float)));

  float* const spread = lease.as<float>();
  std::fill_n(spread, lanes - 1, 0.0f);
  float* const rows = spread + lanes - 1;
  filters.rows = rows;
  context.pool.ParallelFor(filter_rows, kDecodeGrainRows, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      float* const to = rows + row * filters.stride;
      std::copy_n(args.filters + row * args.size, args.size, to);
      std::fill(to + args.size, to + filters.stride, 0.0f);
    }
  });

  std::vector<double> squared_sums(args.squared_sum != nullptr ? static_cast<size_t>(images.rows) : 0);
  const int64_t grain = std::max<int64_t>(1, kGrainWinners / std::max<int64_t>(1, args.entries));
  context.pool.ParallelFor(images.rows, grain, [&](int64_t begin, int64_t end, int thread) {
    PlacedImage image;
    image.channels = images.channels;
    image.height = images.height;
    image.width = images.width;
    image.margin = margin;
    image.stride = image_stride;
    image.channel_stride = images.height * image_stride;
    image.pixels = spread + filter_floats + thread * image_floats;
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t c = 0; c < images.channels; ++c) {
        std::fill_n(image.pixels + c * images.height * image_stride, images.height * image_stride, args.bias[c]);
      }
      kernels.place(filters, args.units + i * args.entries, args.values + i * args.entries, args.entries, image);
      float* const output = args.output + i * images.elements();
      const float* const target = args.target == nullptr ? nullptr : args.target + i * images.elements();
      for (int64_t row = 0; row < images.channels * images.height; ++row) {
        const float* const from = image.pixels + row * image_stride + margin;
        float* const to = output + row * images.width;
        if (target == nullptr) {
          std::copy_n(from, images.width, to);
        } else {
          const float* const subtrahend = target + row * images.width;
          for (int64_t x = 0; x < images.width; ++x) to[x] = from[x] - subtrahend[x];
        }
      }
      if (args.squared_sum != nullptr) squared_sums[i] = context.rows.squared_norm(output, images.elements());
    }
  });
  if (args.squared_sum != nullptr) {
    *args.squared_sum = 0;
    for (double sum : squared_sums) *args.squared_sum += sum;
  }
  return absl::OkStatus();
}

}  // namespace kwta::onednn::winners
