#include "core/backends/onednn/winners/winner_gradient.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

// Ranges per thread, so that threads finish at about the same time.
constexpr int64_t kRangesPerThread = 4;

// Images with zeros around them, so that no patch needs clipping and whole vectors of its rows may be read. Few
// channels are stored as planes. Many channels lie side by side at each pixel, so that a row of a patch is one stretch
// of memory. The kernels then see an image of one channel, with rows of size * channels elements, the channels rounded
// up to whole vectors.
struct PaddedImages {
  PaddedImages(const ImageBatch& images, int64_t size, int64_t lanes)
      : interleaved(images.channels >= kInterleavedChannels), pixel(1) {
    if (interleaved) pixel = RoundUp(images.channels, lanes);
    shape.size = size;
    shape.row_vectors = DivideUp(size * pixel, lanes);
    shape.row_stride = interleaved ? (images.width + size - 1) * pixel : images.width + shape.row_vectors * lanes;
    shape.channel_stride = (images.height + size - 1) * shape.row_stride;
    image_floats = RoundUp((interleaved ? 1 : images.channels) * shape.channel_stride, 16);
  }

  void Pad(const ImageBatch& images, const float* all, int64_t i) {
    const int64_t before = (shape.size - 1) / 2;
    float* const padded = pixels + i * image_floats;
    std::memset(padded, 0, static_cast<size_t>(image_floats) * sizeof(float));
    const float* from = all + i * images.elements();
    for (int64_t c = 0; c < images.channels; ++c) {
      float* to = padded + (interleaved ? c : c * shape.channel_stride) + before * shape.row_stride + before * pixel;
      for (int64_t y = 0; y < images.height; ++y) {
        for (int64_t x = 0; x < images.width; ++x) to[x * pixel] = from[x];
        from += images.width;
        to += shape.row_stride;
      }
    }
  }

  // Returns the start of the patch of a position.
  const float* Patch(int64_t i, int64_t y, int64_t x) const {
    return pixels + i * image_floats + y * shape.row_stride + x * pixel;
  }

  PatchShape shape;
  const bool interleaved;
  int64_t pixel;  // elements from one pixel to the next
  int64_t image_floats = 0;
  float* pixels = nullptr;
};

// The entries of all rows by map: those of map m are entries[starts[m] .. starts[m + 1] - 1], ascending.
struct EntriesByMap {
  std::vector<int64_t> starts;
  std::vector<int64_t> entries;
};

EntriesByMap SortByMap(const WinnerGradientArgs& args) {
  const auto positions = static_cast<uint32_t>(args.images.positions());
  const int64_t count = args.images.rows * args.entries;
  EntriesByMap by_map;
  by_map.starts.assign(static_cast<size_t>(args.maps) + 2, 0);
  // starts[m + 2] counts map m, so that starts[m + 1] can advance from the map's beginning to its end.
  for (int64_t e = 0; e < count; ++e) {
    if (args.units[e] >= 0) ++by_map.starts[static_cast<uint32_t>(args.units[e]) / positions + 2];
  }
  for (int64_t m = 0; m < args.maps; ++m) by_map.starts[m + 2] += by_map.starts[m + 1];
  by_map.entries.resize(static_cast<size_t>(by_map.starts[args.maps + 1]));
  for (int64_t e = 0; e < count; ++e) {
    if (args.units[e] >= 0) by_map.entries[by_map.starts[static_cast<uint32_t>(args.units[e]) / positions + 1]++] = e;
  }
  return by_map;
}

// One call of WinnerGradient.
class GradientCall {
 public:
  GradientCall(support::Context& context, const PatchKernels& kernels, const WinnerGradientArgs& args)
      : context_(context),
        kernels_(kernels),
        args_(args),
        x_(args.images, args.encoder_size, kernels.lanes),
        residual_(args.images, args.decoder_size, kernels.lanes) {}

  absl::Status Run() {
    const int64_t rows = args_.images.rows;
    const int64_t encoder_floats = FilterFloats(x_.shape);
    const int64_t decoder_floats = FilterFloats(residual_.shape);
    const int64_t thread_floats = encoder_floats + 2 * decoder_floats;
    const int64_t floats = rows * (x_.image_floats + residual_.image_floats) + context_.pool.threads() * thread_floats;
    KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease lease,
                          context_.scratch.Take(static_cast<size_t>(floats) * sizeof(float)));
    x_.pixels = lease.as<float>();
    residual_.pixels = x_.pixels + rows * x_.image_floats;
    float* const thread_memory = residual_.pixels + rows * residual_.image_floats;

    PadAndSumResiduals();
    by_map_ = SortByMap(args_);
    const int64_t grain = std::max<int64_t>(1, args_.maps / (kRangesPerThread * context_.pool.threads()));
    std::vector<std::vector<WinnerPatch>> patches(static_cast<size_t>(context_.pool.threads()));
    context_.pool.ParallelFor(args_.maps, grain, [&](int64_t begin, int64_t end, int thread) {
      float* const memory = thread_memory + thread * thread_floats;
      for (int64_t map = begin; map < end; ++map) {
        MapGradient(map, memory, memory + decoder_floats, memory + 2 * decoder_floats, &patches[thread]);
      }
    });
    return absl::OkStatus();
  }

 private:
  int64_t FilterFloats(const PatchShape& shape) const {
    return RoundUp(kernel_channels() * shape.size * shape.row_vectors * kernels_.lanes, 16);
  }

  void PadAndSumResiduals() {
    const ImageBatch& images = args_.images;
    std::vector<double> sums(static_cast<size_t>(images.rows * images.channels));
    const int64_t grain = std::max<int64_t>(1, images.rows / (kRangesPerThread * context_.pool.threads()));
    context_.pool.ParallelFor(images.rows, grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        x_.Pad(images, args_.x, i);
        residual_.Pad(images, args_.residual, i);
        for (int64_t c = 0; c < images.channels; ++c) {
          sums[i * images.channels + c] =
              kernels_.sum(args_.residual + (i * images.channels + c) * images.positions(), images.positions());
        }
      }
    });
    for (int64_t c = 0; c < images.channels; ++c) {
      double sum = 0;
      for (int64_t i = 0; i < images.rows; ++i) sum += sums[i * images.channels + c];
      args_.gradient_decoder_bias[c] = static_cast<float>(2.0 * args_.scale * sum);
    }
  }

  void MapGradient(int64_t map, float* decoder, float* gradient_decoder, float* gradient_encoder,
                   std::vector<WinnerPatch>* patches) {
    const ImageBatch& images = args_.images;
    const int64_t positions = images.positions();
    patches->clear();
    int32_t active_rows = 0;
    int64_t last_row = -1;
    for (int64_t at = by_map_.starts[map]; at < by_map_.starts[map + 1]; ++at) {
      const int64_t entry = by_map_.entries[at];
      const int64_t i = entry / args_.entries;
      const auto position = static_cast<uint32_t>(args_.units[entry] - map * positions);
      const uint32_t y = position / static_cast<uint32_t>(images.width);
      const uint32_t x = position % static_cast<uint32_t>(images.width);
      active_rows += i != last_row ? 1 : 0;
      last_row = i;
      patches->push_back({residual_.Patch(i, y, x), x_.Patch(i, y, x), args_.values[entry]});
    }
    args_.active_rows[map] = active_rows;

    const bool tied = args_.gradient_decoder == nullptr;
    MapGradientArgs gradient;
    gradient.winners = patches->data();
    gradient.count = static_cast<int64_t>(patches->size());
    gradient.channels = kernel_channels();
    gradient.residual = residual_.shape;
    gradient.x = x_.shape;
    gradient.twice_scale = 2 * args_.scale;
    gradient.decoder = decoder;
    gradient.gradient_decoder = tied ? gradient_encoder : gradient_decoder;
    gradient.gradient_encoder = gradient_encoder;
    Spread(args_.decoder + map * FilterWeights(residual_.shape), residual_.shape, decoder);
    std::fill_n(gradient_decoder, FilterFloats(residual_.shape), 0.0f);
    std::fill_n(gradient_encoder, FilterFloats(x_.shape), 0.0f);
    args_.gradient_bias[map] = static_cast<float>(kernels_.map_gradient(gradient));
    Gather(gradient_encoder, x_.shape, args_.gradient_encoder + map * FilterWeights(x_.shape));
    if (!tied) Gather(gradient_decoder, residual_.shape, args_.gradient_decoder + map * FilterWeights(residual_.shape));
  }

  int64_t FilterWeights(const PatchShape& shape) const { return args_.images.channels * shape.size * shape.size; }

  // The number of channels that the kernels see.
  int64_t kernel_channels() const { return x_.interleaved ? 1 : args_.images.channels; }

  // Between filters without gaps and rows of whole vectors: element (c, dy, dx) is at
  //   Row(c, dy) + dx * pixel.
  int64_t Row(const PatchShape& shape, int64_t c, int64_t dy) const {
    const int64_t stride = shape.row_vectors * kernels_.lanes;
    return x_.interleaved ? dy * stride + c : (c * shape.size + dy) * stride;
  }
  void Spread(const float* filter, const PatchShape& shape, float* rows) const {
    std::fill_n(rows, FilterFloats(shape), 0.0f);
    for (int64_t c = 0; c < args_.images.channels; ++c) {
      for (int64_t dy = 0; dy < shape.size; ++dy, filter += shape.size) {
        float* const row = rows + Row(shape, c, dy);
        for (int64_t dx = 0; dx < shape.size; ++dx) row[dx * x_.pixel] = filter[dx];
      }
    }
  }
  void Gather(const float* rows, const PatchShape& shape, float* filter) const {
    for (int64_t c = 0; c < args_.images.channels; ++c) {
      for (int64_t dy = 0; dy < shape.size; ++dy, filter += shape.size) {
        const float* const row = rows + Row(shape, c, dy);
        for (int64_t dx = 0; dx < shape.size; ++dx) filter[dx] = row[dx * x_.pixel];
      }
    }
  }

  support::Context& context_;
  const PatchKernels& kernels_;
  const WinnerGradientArgs& args_;
  PaddedImages x_;
  PaddedImages residual_;
  EntriesByMap by_map_;
};

}  // namespace

absl::Status WinnerGradient(support::Context& context, const PatchKernels& kernels, const WinnerGradientArgs& args) {
  return GradientCall(context, kernels, args).Run();
}

}  // namespace kwta::onednn::winners
