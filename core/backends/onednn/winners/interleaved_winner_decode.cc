#include "core/backends/onednn/winners/interleaved_winner_decode.h"

#include <algorithm>
#include <vector>

#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

// A thread keeps this much in the second cache: images that it decodes at the same time, and the filters that it adds
// to all of them before it goes on to the next.
constexpr int64_t kImageFloats = int64_t{96} << 10;
constexpr int64_t kFilterFloats = int64_t{64} << 10;

// One call. The kernels see images of one channel whose pixels are vectors of channels. A row of a filter is then one
// stretch of memory, and begins at a whole vector wherever its winner is.
class InterleavedDecode {
 public:
  InterleavedDecode(support::Context& context, const PatchKernels& kernels, const WinnerResidualArgs& args)
      : context_(context), kernels_(kernels), args_(args), images_(args.images) {
    const int64_t pixel = RoundUp(images_.channels, kernels.lanes);
    filters_.size = args.size;
    filters_.stride = args.size * pixel;
    filters_.span = filters_.stride / kernels.lanes;
    shape_.channels = 1;
    shape_.height = images_.height;
    shape_.width = images_.width;
    shape_.pixel = pixel;
    shape_.margin = (args.size - 1) / 2 * pixel;
    shape_.stride = (images_.width + args.size - 1) * pixel;
    shape_.channel_stride = shape_.height * shape_.stride;
    image_floats_ = RoundUp(shape_.channel_stride, 16);
    images_at_once_ = std::max<int64_t>(1, kImageFloats / image_floats_);
    entries_at_once_ = std::max<int64_t>(1, kFilterFloats / filter_floats());
  }

  absl::Status Run() {
    const int64_t floats = RoundUp(args_.maps * filter_floats(), 16);
    const int64_t thread_floats = images_at_once_ * image_floats_;
    KWTA_ASSIGN_OR_RETURN(
        support::ScratchPool::Lease lease,
        context_.scratch.Take(static_cast<size_t>(floats + context_.pool.threads() * thread_floats) * sizeof(float)));
    float* const rows = lease.as<float>();
    filters_.rows = rows;
    context_.pool.ParallelFor(args_.maps, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t map = begin; map < end; ++map) Spread(map, rows + map * filter_floats());
    });
    squared_sums_.assign(args_.squared_sum != nullptr ? static_cast<size_t>(images_.rows) : 0, 0);
    context_.pool.ParallelFor(images_.rows, images_at_once_, [&](int64_t begin, int64_t end, int thread) {
      for (int64_t i = begin; i < end; i += images_at_once_) {
        DecodeSome(i, std::min(end, i + images_at_once_), rows + floats + thread * thread_floats);
      }
    });
    if (args_.squared_sum != nullptr) {
      *args_.squared_sum = 0;
      for (double sum : squared_sums_) *args_.squared_sum += sum;
    }
    return absl::OkStatus();
  }

 private:
  int64_t filter_floats() const { return filters_.size * filters_.stride; }

  // A map's filter, its channels side by side.
  void Spread(int64_t map, float* to) const {
    const int64_t area = args_.size * args_.size;
    const float* const from = args_.filters + map * images_.channels * area;
    for (int64_t d = 0; d < area; ++d, to += shape_.pixel) {
      for (int64_t c = 0; c < images_.channels; ++c) to[c] = from[c * area + d];
      std::fill(to + images_.channels, to + shape_.pixel, 0.0f);
    }
  }

  // Decodes rows begin .. end - 1, as many as `memory` holds. Adds each image's winners in their order.
  void DecodeSome(int64_t begin, int64_t end, float* memory) {
    PlacedImage image = shape_;
    for (int64_t i = begin; i < end; ++i) {
      float* pixel = memory + (i - begin) * image_floats_;
      float* const behind = pixel + shape_.channel_stride;
      for (; pixel < behind; pixel += shape_.pixel) {
        std::fill(std::copy_n(args_.bias, images_.channels, pixel), pixel + shape_.pixel, 0.0f);
      }
    }
    for (int64_t entry = 0; entry < args_.entries; entry += entries_at_once_) {
      const int64_t count = std::min(entries_at_once_, args_.entries - entry);
      for (int64_t i = begin; i < end; ++i) {
        image.pixels = memory + (i - begin) * image_floats_;
        const int64_t first = i * args_.entries + entry;
        kernels_.place(filters_, args_.units + first, args_.values + first, count, image);
      }
    }
    for (int64_t i = begin; i < end; ++i) Write(i, memory + (i - begin) * image_floats_);
  }

  void Write(int64_t i, const float* decoded) {
    const int64_t elements = images_.elements();
    float* to = args_.output + i * elements;
    const float* target = args_.target == nullptr ? nullptr : args_.target + i * elements;
    for (int64_t c = 0; c < images_.channels; ++c) {
      const float* row = decoded + shape_.margin + c;
      for (int64_t y = 0; y < images_.height; ++y, row += shape_.stride, to += images_.width) {
        for (int64_t x = 0; x < images_.width; ++x) to[x] = row[x * shape_.pixel];
        if (target == nullptr) continue;
        for (int64_t x = 0; x < images_.width; ++x) to[x] -= target[x];
        target += images_.width;
      }
    }
    if (args_.squared_sum != nullptr) {
      squared_sums_[i] = context_.rows.squared_norm(args_.output + i * elements, elements);
    }
  }

  support::Context& context_;
  const PatchKernels& kernels_;
  const WinnerResidualArgs& args_;
  const ImageBatch& images_;
  PlacedFilters filters_;
  PlacedImage shape_;  // of every image; its pixels are not set
  int64_t image_floats_ = 0, images_at_once_ = 0, entries_at_once_ = 0;
  std::vector<double> squared_sums_;  // of rows
};

}  // namespace

absl::Status InterleavedWinnerResidual(support::Context& context, const PatchKernels& kernels,
                                       const WinnerResidualArgs& args) {
  return InterleavedDecode(context, kernels, args).Run();
}

}  // namespace kwta::onednn::winners
