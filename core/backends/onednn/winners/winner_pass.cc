#include "core/backends/onednn/winners/winner_pass.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "core/backends/backend.h"
#include "core/backends/onednn/support/arena.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"

namespace kwta::onednn::winners {
namespace {

// The most bytes of a chunk's gradients: they stay in a core's second cache.
constexpr int64_t kMaxChunkBytes = 512 << 10;
// The most chunks of a batch. There are fewer if chunks exceed the innermost cache, because each must be read again.
constexpr int64_t kMaxChunks = 16;
constexpr int64_t kMaxLargeChunks = 8;
constexpr int64_t kLargeChunkBytes = 64 << 10;
// Maps whose gradients are worth waking a thread for.
constexpr int64_t kPassGrainMaps = 32;

Convolution ConvolutionOf(const WinnerPassArgs& args) {
  const ConvWinnersArgs& encode = args.encode;
  return {encode.filters, encode.bias, encode.maps, encode.size, encode.images, encode.x};
}

int64_t ChunkFloats(const WinnerPassArgs& args) {
  const int64_t decoder_size = args.gradient_decoder == nullptr ? 0 : args.decoder_size;
  return args.encode.maps * args.encode.images.channels * (args.encode.size + decoder_size) * kPassLanes;
}

}  // namespace

bool WinnerPassCall::Suits(const support::Context& context, const WinnerPassArgs& args) {
  return args.encode.scope == WinnerScope::kEachMap && args.encode.winners == 1 && args.encode.images.rows > 0 &&
         context.filter != support::Filter::kFloats && context.instruction_set != simd::InstructionSet::kPortable &&
         args.decoder_size <= kPassLanes && ChunkFloats(args) * static_cast<int64_t>(sizeof(float)) <= kMaxChunkBytes &&
         WinnerSearch::Suits(SearchKernels(context.instruction_set), ConvolutionOf(args));
}

WinnerPassCall::WinnerPassCall(support::Context& context, const PatchKernels& kernels, const WinnerPassArgs& args)
    : context_(context),
      kernels_(kernels),
      pass_kernels_(PassKernelsFor(context.instruction_set)),
      args_(args),
      images_(args.encode.images),
      tied_(args.gradient_decoder == nullptr),
      encoder_rows_(images_.channels * args.encode.size),
      decoder_rows_(images_.channels * args.decoder_size) {}

absl::Status WinnerPassCall::Allocate() {
  const int64_t maps = args_.encode.maps;
  const int64_t lanes = kernels_.lanes;
  filters_.size = args_.decoder_size;
  filters_.span = (filters_.size + lanes - 2) / lanes + 1;
  filters_.stride = std::max(filters_.span * lanes, kPassLanes);
  chunk_stride_ = RoundUp(ChunkFloats(args_), 16);
  const bool large = ChunkFloats(args_) * static_cast<int64_t>(sizeof(float)) > kLargeChunkBytes;
  chunks_.resize(static_cast<size_t>(std::min(images_.rows, large ? kMaxLargeChunks : kMaxChunks)));
  workspaces_.resize(static_cast<size_t>(context_.pool.threads()));

  ResidualImage residual;
  residual.channels = images_.channels;
  residual.height = images_.height;
  residual.width = images_.width;
  residual.before = (args_.decoder_size - 1) / 2;
  residual.padded_height = images_.height + args_.decoder_size - 1;
  residual.margin = kResidualMargin;
  residual.stride = (DivideUp(images_.width, kResidualMargin) + 2) * kResidualMargin;
  const auto arrange = [&](support::Arena& arena) {
    float* const spread = arena.Take<float>(lanes - 1 + maps * decoder_rows_ * filters_.stride);
    spread_rows_ = spread + lanes - 1;
    chunk_floats_ = arena.Take<float>(static_cast<int64_t>(chunks_.size()) * chunk_stride_);
    for (Chunk& chunk : chunks_) {
      chunk.gradients.bias = arena.Take<double>(maps);
      chunk.gradients.active_rows = arena.Take<int32_t>(maps);
      chunk.channel_sums = arena.Take<double>(images_.channels);
    }
    for (Workspace& workspace : workspaces_) {
      residual.pixels = arena.Take<float>(residual.channels * residual.plane());
      workspace.residual = residual;
    }
  };
  KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease lease, support::TakeArrays(context_.scratch, arrange));
  std::fill_n(spread_rows_ - (lanes - 1), lanes - 1, 0.0f);
  filters_.rows = spread_rows_;
  for (size_t i = 0; i < chunks_.size(); ++i) {
    ChunkGradients& gradients = chunks_[i].gradients;
    gradients.encoder = chunk_floats_ + static_cast<int64_t>(i) * chunk_stride_;
    gradients.decoder = tied_ ? gradients.encoder : gradients.encoder + maps * encoder_rows_ * kPassLanes;
  }
  for (Workspace& workspace : workspaces_) {
    const ResidualImage& image = workspace.residual;
    std::fill_n(image.pixels, image.channels * image.plane(), 0.0f);
    workspace.placed.channels = image.channels;
    workspace.placed.height = image.height;
    workspace.placed.width = image.width;
    workspace.placed.margin = image.margin;
    workspace.placed.stride = image.stride;
    workspace.placed.channel_stride = image.plane();
    workspace.placed.pixels = image.first_row(0);
  }
  lease_.emplace(std::move(lease));
  return absl::OkStatus();
}

void WinnerPassCall::SpreadDecoder() {
  for (int64_t row = 0; row < args_.encode.maps * decoder_rows_; ++row) {
    float* const to = spread_rows_ + row * filters_.stride;
    std::copy_n(args_.decoder + row * filters_.size, filters_.size, to);
    std::fill(to + filters_.size, to + filters_.stride, 0.0f);
  }
}

bool WinnerPassCall::RunChunk(int64_t index, int thread, WinnerSearch& search) {
  const int64_t maps = args_.encode.maps;
  const auto chunks = static_cast<int64_t>(chunks_.size());
  Chunk& chunk = chunks_[index];
  const ResidualImage& residual = workspaces_[thread].residual;
  std::fill_n(chunk.gradients.encoder, chunk_stride_, 0.0f);
  std::fill_n(chunk.gradients.bias, maps, 0.0);
  std::fill_n(chunk.gradients.active_rows, maps, 0);
  std::fill_n(chunk.channel_sums, images_.channels, 0.0);
  ImageGradientArgs gradient;
  gradient.maps = maps;
  gradient.channels = images_.channels;
  gradient.positions = images_.positions();
  gradient.width = images_.width;
  gradient.x = search.pixels(thread);
  gradient.size = args_.encode.size;
  gradient.x_stride = search.shape().stride();
  gradient.x_plane = search.shape().plane();
  gradient.residual = residual.pixels + residual.margin - residual.before;
  gradient.decoder_size = args_.decoder_size;
  gradient.residual_stride = residual.stride;
  gradient.residual_plane = residual.plane();
  gradient.decoder = filters_.rows;
  gradient.decoder_stride = filters_.stride;
  gradient.twice_scale = 2.0f / static_cast<float>(images_.rows);
  gradient.gradients = chunk.gradients;
  double squared_error = 0;
  for (int64_t i = index * images_.rows / chunks; i < (index + 1) * images_.rows / chunks; ++i) {
    const float* const x = args_.encode.x + i * images_.elements();
    int32_t* const units = args_.encode.units + i * maps;
    float* const values = args_.encode.values + i * maps;
    if (!search.Load(x, thread)) return false;
    search.FindWinners(0, search.blocks(), thread, units, values);
    pass_kernels_.start(residual, args_.decoder_bias, x);
    kernels_.place(filters_, units, values, maps, workspaces_[thread].placed);
    squared_error += pass_kernels_.finish(residual, chunk.channel_sums);
    gradient.units = units;
    gradient.values = values;
    pass_kernels_.gradient(gradient);
  }
  chunk.squared_error = squared_error;
  return true;
}

void WinnerPassCall::AddUpChunks() {
  const auto chunks = static_cast<int64_t>(chunks_.size());
  const int64_t maps = args_.encode.maps;
  *args_.squared_error = 0;
  for (const Chunk& chunk : chunks_) *args_.squared_error += chunk.squared_error;
  const bool counts = std::isfinite(*args_.squared_error);
  const auto add = [&](int64_t map, const float* first, int64_t rows, int64_t size, std::vector<float>* sums,
                       float* out) {
    sums->resize(static_cast<size_t>(rows * kPassLanes));
    pass_kernels_.add_chunks(first + map * rows * kPassLanes, chunks, chunk_stride_, rows * kPassLanes, sums->data());
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t dx = 0; dx < size; ++dx) out[(map * rows + row) * size + dx] = (*sums)[row * kPassLanes + dx];
    }
  };
  context_.pool.ParallelFor(maps, kPassGrainMaps, [&](int64_t begin, int64_t end, int) {
    std::vector<float> sums;
    const ChunkGradients& first = chunks_[0].gradients;
    for (int64_t map = begin; map < end; ++map) {
      add(map, first.encoder, encoder_rows_, args_.encode.size, &sums, args_.gradient_encoder);
      if (!tied_) add(map, first.decoder, decoder_rows_, args_.decoder_size, &sums, args_.gradient_decoder);
      double bias = 0;
      int32_t active_rows = 0;
      for (const Chunk& chunk : chunks_) {
        bias += chunk.gradients.bias[map];
        active_rows += chunk.gradients.active_rows[map];
      }
      args_.gradient_bias[map] = static_cast<float>(bias);
      if (counts) args_.active_rows[map] += active_rows;
    }
  });
  for (int64_t c = 0; c < images_.channels; ++c) {
    double sum = 0;
    for (const Chunk& chunk : chunks_) sum += chunk.channel_sums[c];
    args_.gradient_decoder_bias[c] = static_cast<float>(2.0 / static_cast<double>(images_.rows) * sum);
  }
}

absl::StatusOr<bool> WinnerPassCall::Run() {
  KWTA_ASSIGN_OR_RETURN(WinnerSearch search,
                        WinnerSearch::Create(context_, SearchKernels(context_.instruction_set), ConvolutionOf(args_)));
  KWTA_RETURN_IF_ERROR(Allocate());
  SpreadDecoder();
  std::atomic<bool> all_loaded{true};
  context_.pool.ParallelFor(static_cast<int64_t>(chunks_.size()), 1, [&](int64_t chunk, int64_t, int thread) {
    if (!RunChunk(chunk, thread, search)) all_loaded.store(false, std::memory_order_relaxed);
  });
  if (!all_loaded.load()) return false;
  AddUpChunks();
  return true;
}

}  // namespace kwta::onednn::winners
