#include "core/backends/onednn/winners/search/winner_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "core/backends/onednn/support/arena.h"
#include "core/base/divide_up.h"
#include "core/base/status_macros.h"
#include "core/simd/fixed_order_dot.h"

namespace kwta::onednn::winners {
namespace {

// A block's weights must stay in a core's first cache beside the image.
constexpr int64_t kMaxBlockWeightBytes = 40 << 10;
// Larger norms could overflow.
constexpr float kMaxMagnitude = 1e15f;
// The bias of a lane without a map: it never wins.
constexpr float kNeverAbove = -1e30f;

// Covers the rounding of norms computed in binary32 and of the bound's own arithmetic.
constexpr float kBoundRoundUp = 1 + 1e-4f;
// The largest residual bounds all residuals below this part of the norm.
constexpr float kSmallResidual = 1e-5f;

// Below every threshold, whatever products add to it.
constexpr int32_t kOutsideImage = -(1 << 30);

// The part of the next image that is fetched ahead: a part of the innermost cache.
constexpr int64_t kPrefetchElements = 4096;
constexpr int64_t kLineFloats = 16;

// The step of bytes that come from pixels.
constexpr float kByteStep = 1.0f / 255;

// Number of maps that are worth waking a thread for.
constexpr int64_t kSearchGrainMaps = 256;

// The bits of the largest magnitude. Bits have the order of magnitudes, and infinities and NaN come last.
int32_t LargestBits(const float* values, int64_t count) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    int32_t bits;
    std::memcpy(&bits, &values[i], sizeof(bits));
    largest = std::max(largest, bits & 0x7fffffff);
  }
  return largest;
}

float LargestMagnitude(const float* values, int64_t count) {
  const int32_t bits = LargestBits(values, count);
  float largest;
  std::memcpy(&largest, &bits, sizeof(largest));
  return largest;
}

// Also false for infinities and NaN.
bool AllWithin(const float* values, int64_t count, float limit) { return LargestMagnitude(values, count) <= limit; }

// Whether most images of a batch are likely to have no zeros to skip. The first image tells.
bool LooksDense(const ImageBatch& images, const float* x, const PaddedShape& shape) {
  if (shape.groups() > kMaskGroups) return true;
  return images.rows > 0 && std::any_of(x, x + images.elements(), [](float pixel) { return pixel < 0; });
}

// Positions of a tile: four, or two for many maps, which leave fewer registers.
int64_t TilePositions(const Convolution& convolution, int64_t lanes) {
  const bool many = convolution.maps > kSquareTileVectors * lanes;
  return many || convolution.images.height < 2 ? 2 : 4;
}

int64_t MaxVectors(int64_t tile_positions) { return tile_positions == 2 ? kTileVectors : kSquareTileVectors; }

}  // namespace

bool WinnerSearch::Suits(const SearchKernels& kernels, const Convolution& c) {
  if (c.size > kFilterSize || c.images.width < 2) return false;
  const PaddedShape shape(c.images.channels, c.images.height, c.images.width, c.size);
  if (shape.groups() * kTileVectors * kernels.tiles.lanes * 4 > kMaxBlockWeightBytes) return false;
  if (c.images.positions() > (int64_t{1} << 30) / (kTileVectors * kernels.tiles.lanes)) return false;
  return AllWithin(c.bias, c.maps, kMaxMagnitude) &&
         AllWithin(c.filters, c.maps * c.images.channels * c.size * c.size, kMaxMagnitude);
}

absl::StatusOr<WinnerSearch> WinnerSearch::Create(support::Context& context, const SearchKernels& kernels,
                                                  const Convolution& convolution) {
  const ImageBatch& images = convolution.images;
  const PaddedShape shape(images.channels, images.height, images.width, convolution.size);
  const int64_t tile_positions = TilePositions(convolution, kernels.tiles.lanes);
  const int64_t lanes = RoundUp(convolution.maps, kernels.tiles.lanes);
  const int64_t block_lanes = std::min(lanes, MaxVectors(tile_positions) * kernels.tiles.lanes);
  const int64_t positions = images.positions();
  std::vector<Workspace> workspaces(static_cast<size_t>(context.pool.threads()));
  const bool columns = kernels.columns != nullptr && lanes == kernels.tiles.lanes && SuitsColumns(shape);
  const int64_t stretches = columns ? ColumnScores::MaxStretches(shape) : 0;
  const int64_t column_starts = columns ? shape.padded_height() + kColumnRows - 1 : 0;
  WinnerSearch search(kernels, convolution);
  const bool dense = LooksDense(images, convolution.x, shape);
  const SearchGroups groups(shape, dense);
  const auto arrange = [&](support::Arena& arena) {
    search.weights_ = arena.Take<int8_t>(groups.count() * lanes * 4);
    search.step_starts_ = arena.Take<uint16_t>(groups.steps() * lanes * 2);
    search.exact_weights_ = arena.Take<float>(convolution.maps * shape.channels * shape.size * kFilterSize);
    for (float** each : {&search.bias_, &search.of_norm_, &search.of_signed_norm_, &search.of_residual_,
                         &search.constant_, &search.scaled_bias_}) {
      *each = arena.Take<float>(lanes);
    }
    search.zero_sum_ = arena.Take<int32_t>(lanes);
    search.column_starts_ = arena.Take<int32_t>(column_starts);
    for (Workspace& w : workspaces) {
      w.pixels = arena.Take<float>(shape.channels * shape.plane() + kImageSlack);
      w.bytes = arena.Take<uint8_t>(shape.channels * shape.plane() + kImageSlack);
      w.mixed = arena.Take<uint8_t>(groups.MixedBytes());
      w.stacks = arena.Take<uint32_t>(groups.StackedPixels());
      w.squares = arena.Take<float>(shape.plane() + kImageSlack);
      w.byte_squares = arena.Take<int32_t>(shape.plane() + kImageSlack);
      w.rows = arena.Take<uint8_t>(shape.channels * shape.plane() + kImageSlack);
      w.fields = arena.Take<uint16_t>(shape.channels * shape.columns());
      w.tiles.patches = arena.Take<int32_t>(positions);
      w.tiles.masks = arena.Take<uint64_t>(positions);
      w.tiles.unsorted_patches = arena.Take<int32_t>(positions);
      w.tiles.unsorted_masks = arena.Take<uint64_t>(positions);
      w.maxima = arena.Take<int32_t>(positions * block_lanes);
      w.stretch_maxima = arena.Take<int32_t>(DivideUp(positions, kStretchTiles) * block_lanes);
      w.stretches = arena.Take<int32_t>(std::max(DivideUp(positions, kStretchTiles) * block_lanes, stretches) +
                                        kernels.tiles.lanes);
      w.places = arena.Take<int32_t>(positions * block_lanes + kernels.tiles.lanes);
      w.words = arena.Take<uint64_t>(stretches * kStretchWords);
      w.slots = arena.Take<int32_t>(stretches * kStretchWords);
      w.ends = arena.Take<uint8_t>(columns ? 2 * ColumnEnds(shape) : 0);
      w.columns.scores = arena.Take<int32_t>((stretches * kStretchSlots + 2) * kernels.tiles.lanes);
      w.columns.maxima = arena.Take<int32_t>(stretches * kernels.tiles.lanes);
      w.columns.stretches = arena.Take<ColumnStretch>(stretches);
      w.thresholds = arena.Take<int32_t>(block_lanes);
      w.keys = arena.Take<int64_t>(block_lanes);
    }
  };
  KWTA_ASSIGN_OR_RETURN(support::ScratchPool::Lease lease, support::TakeArrays(context.scratch, arrange));
  search.lease_.emplace(std::move(lease));
  search.shape_ = shape;
  search.tile_positions_ = tile_positions;
  search.groups_ = groups;
  search.in_steps_ = kernels.tiles.sums_in_16_bits && dense;
  search.lanes_ = lanes;
  search.block_lanes_ = block_lanes;
  search.blocks_ = DivideUp(lanes, block_lanes);
  for (Workspace& w : workspaces) {
    std::fill_n(w.pixels, shape.channels * shape.plane() + kImageSlack, 0.0f);
    std::fill_n(w.squares, shape.plane() + kImageSlack, 0.0f);
    std::fill_n(w.byte_squares, shape.plane() + kImageSlack, 0);
  }
  search.workspaces_ = std::move(workspaces);
  if (columns) {
    search.columns_ = true;
    std::fill_n(search.column_starts_, column_starts, kOutsideImage);
    std::fill_n(search.column_starts_ + kColumnRows - 1, shape.height, 0);
  }
  std::fill_n(search.weights_, groups.count() * lanes * 4, int8_t{0});
  std::fill_n(search.step_starts_, groups.steps() * lanes * 2, uint16_t{0});
  context.pool.ParallelFor(lanes, kSearchGrainMaps, [&](int64_t begin, int64_t end, int) {
    for (int64_t map = begin; map < end; ++map) search.QuantiseMap(map);
  });
  return search;
}

void WinnerSearch::QuantiseMap(int64_t map) {
  of_norm_[map] = of_signed_norm_[map] = of_residual_[map] = constant_[map] = bias_[map] = 0;
  scaled_bias_[map] = kNeverAbove;
  zero_sum_[map] = 0;
  if (map >= convolution_.maps) return;
  const int64_t size = shape_.size;
  const int64_t rows = shape_.channels * size;
  const float* const filter = convolution_.filters + map * rows * size;
  const int64_t block = map / block_lanes_;
  const int64_t lanes = std::min(block_lanes_, lanes_ - block * block_lanes_);
  int8_t* const lane = weights_ + block * groups_.count() * block_lanes_ * 4 + map % block_lanes_ * 4;
  float* const exact = exact_weights_ + map * rows * kFilterSize;
  float smallest_step = LargestMagnitude(filter, rows * size) / static_cast<float>(kLargestFilterWeight);
  if (kernels_.tiles.sums_in_16_bits) {
    const float levels = simd::MostLevels(groups_.FindLargestSums(filter), in_steps_ ? 2 * kStepGroups : 0);
    smallest_step = std::max(smallest_step, 1 / levels);
  }
  // The step has a finite inverse. A filter below it has scores of zero and is all residual.
  const float step = std::max(smallest_step, 1e-30f);
  FilterNorms norms;
  if (groups_.mixed()) {
    std::vector<int8_t> plain(static_cast<size_t>(shape_.groups() * 4));
    kernels_.tiles.quantise_filter(filter, rows, size, step, 4, plain.data(), exact, &norms);
    groups_.Arrange(plain.data(), lanes * 4, lane);
  } else {
    kernels_.tiles.quantise_filter(filter, rows, size, step, lanes * 4, lane, exact, &norms);
  }
  if (in_steps_) {
    uint16_t* const starts = step_starts_ + block * groups_.steps() * block_lanes_ * 2 + map % block_lanes_ * 2;
    groups_.SetStepStarts(lane, lanes * 4, lanes, starts);
  }
  // Squares that underflow are below 2^-149 each; a residual is rounded by less than 2^-22 of its weight.
  const double elements = static_cast<double>(rows * size), underflow = elements * 0x1p-149;
  const double norm = std::sqrt(norms.squares + underflow);
  const double above = std::sqrt(norms.above + underflow) + 0x1p-22 * norm;
  const double below = std::sqrt(norms.below + underflow) + 0x1p-22 * norm;
  const double residual_norm = std::sqrt(norms.above + norms.below + underflow) + 0x1p-22 * norm;
  const double rounding = 2 * (simd::DotErrorFactor(rows * size) + 0x1p-23) * norm;
  const double bias = convolution_.bias[map];
  const auto scaled = [&](double value) { return static_cast<float>(kBoundRoundUp * value / step); };
  of_norm_[map] = scaled(above + below + rounding);
  of_signed_norm_[map] = scaled(2 * residual_norm + rounding);
  of_residual_[map] = scaled(2 * (norm + residual_norm));
  constant_[map] = scaled(2 * (0x1p-23 * std::abs(bias) + elements * 0x1p-149));
  scaled_bias_[map] = static_cast<float>(std::clamp(bias / step, -1e38, 1e38));
  bias_[map] = convolution_.bias[map];
  zero_sum_[map] = norms.sum;
}

void WinnerSearch::SetZero(int32_t zero, Workspace& workspace) const {
  if (workspace.zero == zero) return;
  workspace.zero = zero;
  std::fill_n(workspace.bytes, shape_.channels * shape_.plane() + kImageSlack, static_cast<uint8_t>(zero));
}

void WinnerSearch::PrefetchNext(const float* image) const {
  const int64_t elements = convolution_.images.elements();
  const float* const next = image + elements;
  if (next >= convolution_.x + convolution_.images.rows * elements) return;
  for (int64_t i = 0; i < std::min(elements, kPrefetchElements); i += kLineFloats) __builtin_prefetch(next + i);
}

bool WinnerSearch::TakeLoadedBytes(float residual, Workspace& w) const {
  const float elements = static_cast<float>(shape_.channels * shape_.size * shape_.size);
  const auto square = static_cast<float>(kernels_.images.largest_byte_square(shape_, w.bytes, w.byte_squares));
  const float of_bytes = w.step * std::sqrt(square), of_residual = residual * std::sqrt(elements);
  if (!(of_residual <= kSmallResidual * of_bytes)) return false;
  w.norm = kBoundRoundUp * (of_bytes + of_residual);
  // The residuals themselves are rounded, by less than 2^-22 of a pixel.
  w.residual_norm = kBoundRoundUp * of_residual + 0x1p-22f * w.norm;
  return true;
}

void WinnerSearch::Quantise(const LoadedImage& loaded, Workspace& w) const {
  const float elements = static_cast<float>(shape_.channels * shape_.size * shape_.size);
  // Squares that underflow are below 2^-149 each.
  const auto norm = [&](const uint8_t* bytes) {
    const double square =
        kernels_.images.largest_square(shape_, w.pixels, bytes, w.step, static_cast<float>(w.zero), w.squares);
    return kBoundRoundUp * static_cast<float>(std::sqrt(square + double{elements} * 0x1p-149));
  };
  const auto quantise = [&](float step) {
    w.step = std::max(step, 1e-30f);
    return kernels_.images.quantise(shape_, w.pixels, w.step, static_cast<float>(w.zero), w.bytes);
  };
  SetZero(loaded.smallest < 0 ? 128 : 0, w);
  w.norm = norm(nullptr);
  const float small = kSmallResidual * w.norm / std::sqrt(elements);
  float residual = std::numeric_limits<float>::infinity();
  if (w.zero == 0 && loaded.largest <= 1) residual = quantise(kByteStep);
  // Images of bytes whose largest is not 255 need no rounding either.
  if (!(residual <= small)) residual = quantise(loaded.largest / static_cast<float>(w.zero == 0 ? 255 : 127));
  w.residual_norm =
      (residual <= small ? kBoundRoundUp * residual * std::sqrt(elements) : norm(w.bytes)) + 0x1p-22f * w.norm;
}

bool WinnerSearch::Load(const float* image, int thread) {
  Workspace& w = workspaces_[thread];
  if (w.zero < 0) SetZero(0, w);
  // Images are often bytes over 255, and often all of them are.
  w.step = kByteStep;
  LoadedImage loaded;
  kernels_.images.load(shape_, image, w.step, w.pixels, w.zero == 0 ? w.bytes : nullptr, &loaded);
  PrefetchNext(image);
  if (!(loaded.largest <= kMaxMagnitude)) return false;
  if (w.zero != 0 || loaded.smallest < 0 || loaded.largest > 1 || !TakeLoadedBytes(loaded.residual, w)) {
    Quantise(loaded, w);
  }
  w.sparse = w.zero == 0 && shape_.groups() <= kMaskGroups && !groups_.mixed();
  if (groups_.mixed()) groups_.Mix(w.bytes, w.mixed, w.stacks);
  if (w.sparse && columns_) return true;
  if (w.sparse) {
    kernels_.tiles.list_tiles(shape_, tile_positions_, w.bytes, w.rows, w.fields, &w.tiles);
    return true;
  }
  w.tiles.count = 0;
  const int64_t height = tile_positions_ / 2;
  for (int64_t y = 0; y < shape_.height; y += height) {
    for (int64_t x = 0; x < shape_.width; x += 2) {
      w.tiles.patches[w.tiles.count++] =
          static_cast<int32_t>(std::min(y, shape_.height - height) * shape_.stride() + std::min(x, shape_.width - 2));
    }
  }
  return true;
}

void WinnerSearch::FindThresholds(int64_t first_map, int64_t vectors, const int32_t* maxima, int64_t count,
                                  Workspace& w) const {
  MapBounds bounds;
  bounds.of_norm = (w.zero == 0 ? of_norm_ : of_signed_norm_) + first_map;
  bounds.of_residual = of_residual_ + first_map;
  bounds.constant = constant_ + first_map;
  bounds.bias = scaled_bias_ + first_map;
  bounds.zero_sum = zero_sum_ + first_map;
  kernels_.tiles.thresholds(bounds, vectors, maxima, count, w.norm, w.residual_norm, w.step,
                            w.zero - (InSteps(w) ? simd::kMiddleByte : 0), w.thresholds);
}

void WinnerSearch::FindColumnWinners(Workspace& w, int32_t* units, float* values) const {
  ColumnScoreArgs score;
  score.bytes = w.bytes;
  score.weights = weights_;
  score.ends = w.ends;
  score.starts = column_starts_;
  kernels_.columns->score(shape_, score, &w.columns);
  FindThresholds(0, 1, w.columns.maxima, w.columns.count, w);
  ColumnWinnersArgs decide;
  decide.pixels = w.pixels;
  decide.exact_weights = exact_weights_;
  decide.bias = bias_;
  decide.thresholds = w.thresholds;
  decide.maps = convolution_.maps;
  decide.hits = w.stretches;
  decide.words = w.words;
  decide.slots = w.slots;
  kernels_.columns->winners(shape_, w.columns, decide, units, values);
}

void WinnerSearch::FindWinners(int64_t first, int64_t last, int thread, int32_t* units, float* values) {
  Workspace& w = workspaces_[thread];
  if (w.sparse && columns_) {
    if (first < last) FindColumnWinners(w, units, values);
    return;
  }
  const int64_t stride = shape_.stride(), width = shape_.width, positions = shape_.height * width;
  const int64_t exact_floats = shape_.channels * shape_.size * kFilterSize;
  TileScoreArgs args;
  groups_.Describe(groups_.mixed() ? w.mixed : w.bytes, w.stacks, &args);
  args.tiles = w.tiles;
  if (!w.sparse) args.tiles.masks = nullptr;
  args.maxima = w.maxima;
  args.stretch_maxima = w.stretch_maxima;
  for (int64_t block = first; block < last; ++block) {
    const int64_t first_map = block * block_lanes_;
    const int64_t lanes = std::min(block_lanes_, lanes_ - first_map);
    const int64_t vectors = lanes / kernels_.tiles.lanes;
    args.weights = weights_ + first_map * groups_.count() * 4;
    if (InSteps(w)) args.step_starts = step_starts_ + first_map * groups_.steps() * 2;
    kernels_.tiles.score(tile_positions_, vectors, args);
    FindThresholds(first_map, vectors, w.stretch_maxima, DivideUp(w.tiles.count, kStretchTiles), w);
    const int64_t candidates = kernels_.tiles.candidates(args, vectors, w.thresholds, w.stretches, w.places);

    // The bits of activities above zero have the activities' order, and those of others are not above zero. Of equal
    // activities, the lowest position comes first.
    std::fill_n(w.keys, lanes, int64_t{0});
    for (int64_t i = 0; i < candidates; ++i) {
      const int64_t lane = w.places[i] & (kMaxBlockLanes - 1);
      const int32_t patch = w.tiles.patches[w.places[i] >> kLaneBits];
      float z[4];
      kernels_.tiles.activities(shape_, tile_positions_, w.pixels + patch,
                                exact_weights_ + (first_map + lane) * exact_floats, bias_[first_map + lane], z);
      int64_t best = w.keys[lane];
      for (int64_t p = 0; p < tile_positions_; ++p) {
        int32_t bits;
        std::memcpy(&bits, &z[p], sizeof(bits));
        const auto here = static_cast<uint32_t>(patch + p / 2 * stride + p % 2);
        // Without a branch, which nothing could predict.
        best = std::max(best, int64_t{bits} * (int64_t{1} << 32) + ~here);
      }
      w.keys[lane] = best;
    }
    for (int64_t l = 0; l < std::min(lanes, convolution_.maps - first_map); ++l) {
      const int64_t map = first_map + l;
      const auto bits = static_cast<uint32_t>(w.keys[l] >> 32);
      const uint32_t patch = ~static_cast<uint32_t>(w.keys[l]);
      const auto row = patch / static_cast<uint32_t>(stride);
      const int64_t position = row * width + (patch - row * static_cast<uint32_t>(stride));
      std::memcpy(&values[map], &bits, sizeof(bits));
      units[map] = bits != 0 ? static_cast<int32_t>(map * positions + position) : -1;
    }
  }
}

}  // namespace kwta::onednn::winners
