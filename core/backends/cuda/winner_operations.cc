// Operations of winner-take-all convolution.
#include <algorithm>

#include "core/backends/cuda/kernels/candidates.h"
#include "core/backends/cuda/kernels/winners.h"
#include "core/backends/cuda/operations.h"

namespace kwta::cuda {
namespace {

// Bytes of activities at a time.
constexpr int64_t kActivityBytes = int64_t{256} << 20;
// What every device has for a block.
constexpr int64_t kSharedBytes = int64_t{48} << 10;

Maps MapsOf(int64_t maps, int64_t size, const ImageBatch& images) {
  return {maps, size, images.channels, images.height, images.width};
}

Convolution ConvolutionOf(const float* filters, const float* bias, const float* x, const Maps& shape, int64_t rows) {
  return {shape, In(filters, shape.maps * shape.weights()), In(bias, shape.maps), In(x, rows * shape.elements())};
}

int PositionThreads(const Maps& shape, int most) { return ThreadsFor(shape.positions(), most); }

// Winners of any number and scope: activities, then the largest of each scope.
void QueueManyWinners(Work& work, const ConvWinnersArgs& args, const Convolution& convolution) {
  const Maps& shape = convolution.shape;
  const bool each_map = args.scope == WinnerScope::kEachMap;
  const int64_t scopes = each_map ? shape.maps : 1, scope_units = shape.maps * shape.positions() / scopes;
  const int64_t capacity = args.winners + scope_units;
  const int64_t image_bytes = shape.maps * shape.positions() * 4 + scopes * (capacity * 8 + 16);
  const int64_t images = std::clamp<int64_t>(kActivityBytes / image_bytes, 1, args.images.rows);
  Candidates candidates;
  candidates.rows = images * scopes;
  candidates.capacity = capacity;
  candidates.keys = work.Temporary<uint64_t>(candidates.rows * capacity);
  candidates.counts = work.Temporary<int32_t>(candidates.rows);
  candidates.thresholds = work.Temporary<uint64_t>(candidates.rows);
  const Global<float> activities = work.Temporary<float>(images * shape.maps * shape.positions());
  for (int64_t first = 0; first < args.images.rows; first += images) {
    const int64_t rows = std::min(images, args.images.rows - first), entries = rows * scopes * args.winners;
    work.Launch<ConvolveKernel>(rows * shape.maps, PositionThreads(shape, ConvolveKernel::kMaxThreads),
                                {convolution, first, activities});
    work.Clear(candidates.counts);
    work.Clear(candidates.thresholds);
    FoldKernel::Args fold;
    fold.candidates = candidates;
    fold.k = args.winners;
    fold.scores = In(activities);
    fold.units = fold.stride = scope_units;
    fold.room = capacity;
    fold.scopes = scopes;
    work.Launch<FoldKernel>(rows * scopes, ThreadsFor(scope_units / 8, FoldKernel::kMaxThreads), fold);
    WriteCodesKernel::Args write;
    write.candidates = candidates;
    write.k = args.winners;
    write.indices = Out(args.units + first * scopes * args.winners, entries);
    write.values = Out(args.values + first * scopes * args.winners, entries);
    work.Launch<WriteCodesKernel>(rows * scopes, ThreadsFor(args.winners, WriteCodesKernel::kMaxThreads), write);
  }
}

WinnerDecodeKernel::Args DecodeOf(const WinnerDecodeArgs& args) {
  WinnerDecodeKernel::Args decode;
  decode.shape = MapsOf(args.maps, args.size, args.images);
  decode.filters = In(args.filters, args.maps * decode.shape.weights());
  decode.bias = In(args.bias, args.images.channels);
  decode.values = In(args.values, args.images.rows * args.entries);
  decode.units = In(args.units, args.images.rows * args.entries);
  decode.entries = args.entries;
  decode.output = Out(args.output, args.images.rows * args.images.elements());
  return decode;
}

void LaunchDecode(Work& work, const WinnerDecodeKernel::Args& decode, int64_t rows) {
  work.Launch<WinnerDecodeKernel>(rows, ThreadsFor(decode.shape.elements(), WinnerDecodeKernel::kMaxThreads), decode);
}

}  // namespace

void QueueConvWinners(Work& work, const ConvWinnersArgs& args) {
  if (args.images.rows == 0) return;
  const Convolution convolution =
      ConvolutionOf(args.filters, args.bias, args.x, MapsOf(args.maps, args.size, args.images), args.images.rows);
  if (args.scope != WinnerScope::kEachMap || args.winners != 1) {
    QueueManyWinners(work, args, convolution);
    return;
  }
  const int64_t entries = args.images.rows * args.maps;
  work.Launch<WinnerKernel>(entries, PositionThreads(convolution.shape, WinnerKernel::kMaxThreads),
                            {convolution, Out(args.units, entries), Out(args.values, entries)});
}

void QueueWinnerDecode(Work& work, const WinnerDecodeArgs& args) {
  LaunchDecode(work, DecodeOf(args), args.images.rows);
}

void QueueWinnerPass(Work& work, const WinnerPassArgs& args) {
  const ConvWinnersArgs& encode = args.encode;
  const ImageBatch& images = encode.images;
  QueueConvWinners(work, encode);

  WinnerDecodeArgs plain;
  plain.filters = args.decoder;
  plain.bias = args.decoder_bias;
  plain.maps = encode.maps;
  plain.size = args.decoder_size;
  plain.images = images;
  plain.units = encode.units;
  plain.values = encode.values;
  plain.entries = args.entries;
  plain.output = args.residual;
  WinnerDecodeKernel::Args decode = DecodeOf(plain);
  decode.target = In(encode.x, images.rows * images.elements());
  decode.squares = work.Temporary<double>(images.rows);
  LaunchDecode(work, decode, images.rows);
  const Global<double> squared_error = Out(args.squared_error, 1);
  work.Launch<SumKernel>(1, ThreadsFor(images.rows, SumKernel::kMaxThreads), {In(decode.squares), {}, squared_error});

  const int64_t entries = images.rows * args.entries;
  const float scale = 2.0f / static_cast<float>(images.rows);
  const Global<float> dz = work.Temporary<float>(entries);
  work.Launch<WinnerDotsKernel>(
      entries, WinnerDotsKernel::kMaxThreads,
      {decode.shape, decode.filters, In(decode.output), decode.units, args.entries, scale, dz});
  WinnerGradientKernel::Args gradient;
  gradient.shape = MapsOf(encode.maps, encode.size, images);
  gradient.groups = SortByGroup(work, decode.units, encode.maps, images.positions());
  gradient.factors = In(dz);
  gradient.images = decode.target;
  gradient.units = decode.units;
  gradient.entries = args.entries;
  gradient.gate = In(squared_error);
  gradient.gradient = Out(args.gradient_encoder, encode.maps * gradient.shape.weights());
  gradient.factor_sums = Out(args.gradient_bias, encode.maps);
  gradient.active_rows = Out(args.active_rows, encode.maps);
  work.Launch<WinnerGradientKernel>(encode.maps,
                                    ThreadsFor(gradient.shape.weights(), WinnerGradientKernel::kMaxThreads), gradient);
  const bool tied = args.gradient_decoder == nullptr;
  gradient.shape = decode.shape;
  gradient.factors = decode.values;
  gradient.images = In(decode.output);
  gradient.scale = scale;
  gradient.add = tied;
  if (!tied) gradient.gradient = Out(args.gradient_decoder, encode.maps * gradient.shape.weights());
  gradient.factor_sums = {};
  gradient.active_rows = {};
  work.Launch<WinnerGradientKernel>(encode.maps,
                                    ThreadsFor(gradient.shape.weights(), WinnerGradientKernel::kMaxThreads), gradient);
  work.Launch<ChannelSumsKernel>(images.channels, ChannelSumsKernel::kMaxThreads,
                                 {decode.shape, images.rows, In(decode.output), 2.0 / static_cast<double>(images.rows),
                                  Out(args.gradient_decoder_bias, images.channels)});
}

void QueueConvPool(Work& work, const ConvPoolArgs& args) {
  if (args.images.rows == 0) return;
  const Pooling& pooling = args.pooling;
  PoolKernel::Args pool;
  pool.convolution =
      ConvolutionOf(args.filters, args.bias, args.x, MapsOf(args.maps, args.size, args.images), args.images.rows);
  const Maps& shape = pool.convolution.shape;
  pool.window = pooling.width;
  pool.stride = pooling.stride;
  pool.padding = pooling.padding;
  pool.pooled_height = pooling.Extent(shape.height);
  pool.pooled_width = pooling.Extent(shape.width);
  const int64_t maps = args.images.rows * args.maps, pooled = pool.pooled_height * pool.pooled_width;
  pool.output = Out(args.output, maps * pooled);
  if (PoolKernel::SharedBytes(pool, 0) <= kSharedBytes) {
    work.Launch<PoolKernel>(maps, ThreadsFor(pool.window * shape.width, PoolKernel::kMaxThreads), pool);
    return;
  }
  const int64_t images =
      std::clamp<int64_t>(kActivityBytes / (shape.maps * shape.positions() * 4), 1, args.images.rows);
  const Global<float> activities = work.Temporary<float>(images * shape.maps * shape.positions());
  for (int64_t first = 0; first < args.images.rows; first += images) {
    const int64_t rows = std::min(images, args.images.rows - first);
    work.Launch<ConvolveKernel>(rows * shape.maps, PositionThreads(shape, ConvolveKernel::kMaxThreads),
                                {pool.convolution, first, activities});
    const Global<float> output = Out(args.output + first * args.maps * pooled, rows * args.maps * pooled);
    work.LaunchEach<PoolActivitiesKernel>(output.size, {shape, pool.window, pool.stride, pool.padding,
                                                        pool.pooled_height, pool.pooled_width, In(activities), output});
  }
}

}  // namespace kwta::cuda
