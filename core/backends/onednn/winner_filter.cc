#include "core/backends/onednn/winner_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/backends/fixed_order_dot.h"
#include "core/backends/onednn/memory_parts.h"
#include "core/base/status_macros.h"

namespace kwta {
namespace {

constexpr int64_t kBlockMaps = kFilterVectors * kFilterLanes;
constexpr int64_t kMaxSize = 8;
constexpr int64_t kMaskBits = 64;

// With fewer maps preparing the image costs more than the filter saves.
constexpr int64_t kMinMaps = 64;
// A block's weights must stay in a core's first cache beside the image.
constexpr int64_t kMaxBlockWeightBytes = 40 << 10;
// Norms beyond it could overflow.
constexpr float kMaxMagnitude = 1e15f;
// Integers that thresholds and margins are kept within, so that no sum of them and a score overflows.
constexpr double kMaxInteger = 1 << 29;
// A threshold that no score reaches.
constexpr int32_t kUnreachable = std::numeric_limits<int32_t>::max();

// Covers the rounding of norms computed in binary32 and of the bound's own arithmetic.
constexpr double kRoundUp = 1 + 1e-4;

constexpr int64_t kTasksPerThread = 4;

int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

int64_t GroupsOfRow(int64_t size) { return DivideUp(size, 4); }

float LargestMagnitude(const float* values, int64_t count) {
  float largest = 0;
  for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(values[i]));
  return largest;
}

}  // namespace

bool WinnerFilter::Suits(const Convolution& c) {
  if (c.size > kMaxSize || c.maps < kMinMaps || c.images.rows == 0) return false;
  const int64_t groups = c.images.channels * c.size * GroupsOfRow(c.size);
  if (groups * kBlockMaps * 4 > kMaxBlockWeightBytes) return false;
  if (c.images.positions() > (int64_t{1} << 30) / kBlockMaps) return false;
  // Filters are finite; the largest of a bias that is not a number would go unnoticed.
  for (int64_t m = 0; m < c.maps; ++m) {
    if (!(std::abs(c.bias[m]) <= kMaxMagnitude)) return false;
  }
  return LargestMagnitude(c.filters, c.maps * c.images.channels * c.size * c.size) <= kMaxMagnitude &&
         LargestMagnitude(c.x, c.images.rows * c.images.elements()) <= kMaxMagnitude;
}

absl::StatusOr<WinnerFilter> WinnerFilter::Create(OnednnContext& context, const FilterImageKernels& kernels,
                                                  ScoresFor scores_for, const Convolution& convolution) {
  const ImageBatch& images = convolution.images;
  const int64_t size = convolution.size;
  const int64_t groups = images.channels * size * GroupsOfRow(size);
  // Eight pixels are read from any position.
  const int64_t stride = images.width + kMaxSize;
  const int64_t padded_height = images.height + size - 1;
  const int64_t padded = images.channels * padded_height * stride;
  const int64_t vectors = DivideUp(convolution.maps, kFilterLanes);
  std::vector<Workspace> workspaces(static_cast<size_t>(context.pool.threads()));
  int8_t* weights = nullptr;
  float* exact_weights = nullptr;
  const auto arrange = [&](MemoryParts parts) {
    weights = parts.Take<int8_t>(groups * vectors * kFilterLanes * 4);
    exact_weights = parts.Take<float>(convolution.maps * images.channels * size * kMaxSize);
    for (Workspace& w : workspaces) {
      w.pixels = parts.Take<float>(padded);
      w.bytes = parts.Take<uint8_t>(padded);
      w.squares = parts.Take<float>(padded_height * stride);
      w.residuals = parts.Take<float>(padded_height * stride);
      w.occupied = parts.Take<uint8_t>(images.width);
      w.masks = parts.Take<uint64_t>(images.positions());
      w.counts = parts.Take<uint8_t>(images.positions());
      w.sorted_masks = parts.Take<uint64_t>(images.positions());
      w.patches = parts.Take<int32_t>(images.positions());
      w.margins = parts.Take<int32_t>(kBlockMaps);
      w.thresholds = parts.Take<int32_t>(kBlockMaps);
      w.scores = parts.Take<int32_t>(images.positions() * kBlockMaps + kFilterLanes);
      w.places = parts.Take<int32_t>(images.positions() * kBlockMaps + kFilterLanes);
    }
    return parts.used();
  };
  KWTA_ASSIGN_OR_RETURN(ScratchPool::Lease lease,
                        context.scratch.Take(static_cast<size_t>(arrange(MemoryParts(nullptr)))));
  arrange(MemoryParts(lease.as<char>()));

  WinnerFilter filter(context, kernels, convolution, std::move(lease));
  filter.groups_of_row_ = GroupsOfRow(size);
  filter.groups_ = groups;
  filter.stride_ = stride;
  filter.padded_height_ = padded_height;
  filter.blocks_ = DivideUp(convolution.maps, kBlockMaps);
  filter.scores_for_ = scores_for;
  filter.weights_ = weights;
  filter.exact_weights_ = exact_weights;
  filter.workspaces_ = std::move(workspaces);
  for (int64_t c = 0; c < images.channels; ++c) {
    for (int64_t dy = 0; dy < size; ++dy) {
      for (int64_t h = 0; h < filter.groups_of_row_; ++h) {
        filter.offsets_.push_back(static_cast<int32_t>((c * padded_height + dy) * stride + 4 * h));
      }
    }
  }
  std::fill_n(weights, groups * vectors * kFilterLanes * 4, int8_t{0});
  filter.maps_.resize(static_cast<size_t>(convolution.maps));
  for (int64_t map = 0; map < convolution.maps; ++map) filter.QuantiseMap(map);

  const int64_t pixels = images.rows * images.elements();
  float smallest = 0;
  for (int64_t i = 0; i < pixels; ++i) smallest = std::min(smallest, convolution.x[i]);
  filter.bytes_from_zero_ = smallest == 0;
  filter.batch_largest_ = LargestMagnitude(convolution.x, pixels);
  return filter;
}

void WinnerFilter::QuantiseMap(int64_t map) {
  const int64_t size = convolution_.size;
  const int64_t rows = convolution_.images.channels * size;
  const float* const filter = convolution_.filters + map * rows * size;
  const int64_t block = map / kBlockMaps;
  const int64_t vectors = DivideUp(std::min(convolution_.maps - block * kBlockMaps, kBlockMaps), kFilterLanes);
  int8_t* const lane = weights_ + block * groups_ * kBlockMaps * 4 + map % kBlockMaps * 4;
  float* const exact = exact_weights_ + map * rows * kMaxSize;
  const float largest = LargestMagnitude(filter, rows * size);
  // A step whose inverse is finite; a filter below it is all zeros to the scores, and all in its residual.
  const float step = std::max(largest / 127, 1e-30f);
  const float inverse = 1 / step;
  double squares = 0, residual_squares = 0;
  int32_t sum = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t dx = 0; dx < kMaxSize; ++dx) exact[row * kMaxSize + dx] = dx < size ? filter[row * size + dx] : 0;
    for (int64_t dx = 0; dx < size; ++dx) {
      const float weight = filter[row * size + dx];
      const int32_t rounded = std::clamp(static_cast<int32_t>(weight * inverse + 128.5f) - 128, -127, 127);
      const double residual = weight - double{step} * rounded;
      squares += double{weight} * weight;
      residual_squares += residual * residual;
      sum += rounded;
      lane[(row * groups_of_row_ + dx / 4) * vectors * kFilterLanes * 4 + dx % 4] = static_cast<int8_t>(rounded);
    }
  }
  maps_[map] = {step, std::sqrt(squares), std::sqrt(residual_squares), sum};
}

void WinnerFilter::Load(const float* image, Workspace& workspace) const {
  const ImageBatch& images = convolution_.images;
  const int64_t before = (convolution_.size - 1) / 2;
  const int64_t plane = padded_height_ * stride_;
  std::fill_n(workspace.pixels, images.channels * plane, 0.0f);
  for (int64_t c = 0; c < images.channels; ++c) {
    for (int64_t y = 0; y < images.height; ++y) {
      std::copy_n(image + (c * images.height + y) * images.width, images.width,
                  workspace.pixels + c * plane + (y + before) * stride_ + before);
    }
  }
  const float largest = bytes_from_zero_ ? batch_largest_ : LargestMagnitude(image, images.elements());
  const float step = std::max(largest / (bytes_from_zero_ ? 255 : 127), 1e-30f);
  workspace.step = step;
  workspace.zero = bytes_from_zero_ ? 0 : 128;
  std::fill_n(workspace.squares, plane, 0.0f);
  std::fill_n(workspace.residuals, plane, 0.0f);
  for (int64_t c = 0; c < images.channels; ++c) {
    kernels_.quantise(workspace.pixels + c * plane, plane, step, 1 / step, static_cast<float>(workspace.zero),
                      workspace.bytes + c * plane, workspace.squares, workspace.residuals);
  }
  const auto largest_norm = [&](float* squares) {
    // Squares that underflow are below 2^-149 each.
    const double elements = static_cast<double>(images.channels * convolution_.size * convolution_.size);
    return kRoundUp *
           std::sqrt(kernels_.largest_square(squares, images.height, images.width, stride_, convolution_.size) +
                     elements * 0x1p-149);
  };
  workspace.norm = largest_norm(workspace.squares);
  // The residuals themselves were rounded, by less than 2^-22 of a pixel.
  workspace.residual_norm = largest_norm(workspace.residuals) + 0x1p-22 * workspace.norm;
  SortPositions(workspace);
}

void WinnerFilter::SortPositions(Workspace& workspace) const {
  const ImageBatch& images = convolution_.images;
  workspace.sparse = bytes_from_zero_ && groups_ <= kMaskBits;
  if (!workspace.sparse) {
    workspace.count = images.positions();
    for (int64_t p = 0; p < workspace.count; ++p) {
      workspace.patches[p] = static_cast<int32_t>(p / images.width * stride_ + p % images.width);
    }
    return;
  }
  std::fill_n(workspace.masks, images.positions(), uint64_t{0});
  for (int64_t c = 0; c < images.channels; ++c) {
    for (int64_t row = 0; row < padded_height_; ++row) {
      kernels_.occupied(workspace.bytes + (c * padded_height_ + row) * stride_, images.width, groups_of_row_,
                        workspace.occupied);
      for (int64_t dy = std::max<int64_t>(0, row - images.height + 1); dy < std::min(convolution_.size, row + 1);
           ++dy) {
        kernels_.add_masks(workspace.occupied, images.width, (c * convolution_.size + dy) * groups_of_row_,
                           workspace.masks + (row - dy) * images.width);
      }
    }
  }
  kernels_.count_groups(workspace.masks, images.positions(), workspace.counts);
  // By falling count: loops over groups end when they did for the position before, which processors predict, and the
  // best scores come early. Of positions without a pixel, all the same, the first is enough.
  int32_t next[kMaskBits + 2] = {};
  for (int64_t p = 0; p < images.positions(); ++p) ++next[kMaskBits - workspace.counts[p] + 1];
  for (int64_t n = 0; n <= kMaskBits; ++n) next[n + 1] += next[n];
  workspace.count = next[kMaskBits] + (next[kMaskBits] < images.positions() ? 1 : 0);
  bool seen_empty = false;
  int64_t p = 0;
  for (int64_t y = 0; y < images.height; ++y) {
    for (int64_t x = 0; x < images.width; ++x, ++p) {
      if (workspace.counts[p] == 0 && std::exchange(seen_empty, true)) continue;
      const int32_t place = next[kMaskBits - workspace.counts[p]]++;
      workspace.sorted_masks[place] = workspace.masks[p];
      workspace.patches[place] = static_cast<int32_t>(y * stride_ + x);
    }
  }
}

void WinnerFilter::BlockWinners(int64_t block, Workspace& workspace, int32_t* units, float* values) const {
  const ImageBatch& images = convolution_.images;
  const int64_t first = block * kBlockMaps;
  const int64_t maps = std::min(convolution_.maps - first, kBlockMaps);
  const int64_t vectors = DivideUp(maps, kFilterLanes);
  const int64_t lanes = vectors * kFilterLanes;
  const int64_t elements = images.channels * convolution_.size * convolution_.size;
  const double summation = DotErrorFactor(elements) + 0x1p-23;
  for (int64_t l = 0; l < lanes; ++l) {
    workspace.margins[l] = 0;
    workspace.thresholds[l] = kUnreachable;
    if (l >= maps) continue;
    const Map& map = maps_[first + l];
    const double bias = convolution_.bias[first + l];
    const double bound =
        kRoundUp *
        (workspace.norm * map.residual_norm + workspace.residual_norm * (map.norm + map.residual_norm) +
         summation * workspace.norm * map.norm + 0x1p-23 * std::abs(bias) + static_cast<double>(elements) * 0x1p-149);
    const double step = workspace.step * map.step;
    workspace.margins[l] = static_cast<int32_t>(std::min(2 * bound / step, kMaxInteger)) + 1;
    // Above zero is a winner's activity, so that its score times the step is above -bias - bound.
    const double least = (-bias - bound) / step;
    workspace.thresholds[l] =
        static_cast<int32_t>(std::clamp(std::floor(least), -kMaxInteger, kMaxInteger)) + workspace.zero * map.sum;
  }
  FilterScoreArgs args;
  args.pixels = workspace.bytes;
  args.offsets = offsets_.data();
  args.groups = groups_;
  args.weights = weights_ + block * groups_ * kBlockMaps * 4;
  args.patches = workspace.patches;
  args.masks = workspace.sparse ? workspace.sorted_masks : nullptr;
  args.count = workspace.count;
  args.margins = workspace.margins;
  args.thresholds = workspace.thresholds;
  args.scores = workspace.scores;
  args.places = workspace.places;
  const int64_t candidates = scores_for_(vectors)(args);

  std::fill_n(units + first, maps, -1);
  std::fill_n(values + first, maps, 0.0f);
  const int64_t plane = padded_height_ * stride_;
  const int64_t positions = images.positions();
  for (int64_t i = 0; i < candidates; ++i) {
    const auto place = static_cast<uint32_t>(workspace.places[i]);
    const int64_t lane = place % static_cast<uint32_t>(lanes);
    if (workspace.scores[i] < workspace.thresholds[lane]) continue;
    const int64_t map = first + lane;
    const auto patch = static_cast<uint32_t>(workspace.patches[place / static_cast<uint32_t>(lanes)]);
    const float z = kernels_.narrow_convolution(workspace.pixels + patch, plane, stride_,
                                                exact_weights_ + map * images.channels * convolution_.size * kMaxSize,
                                                images.channels, convolution_.size) +
                    convolution_.bias[map];
    if (!(z > 0) || z < values[map]) continue;
    const auto stride = static_cast<uint32_t>(stride_);
    const auto unit = static_cast<int32_t>(map * positions + patch / stride * images.width + patch % stride);
    if (z == values[map] && unit > units[map]) continue;
    units[map] = unit;
    values[map] = z;
  }
}

void WinnerFilter::FindWinners(int32_t* units, float* values) {
  const int64_t threads = context_.pool.threads();
  const int64_t rows = convolution_.images.rows;
  // Whole images if they are enough for all threads.
  const int64_t group =
      DivideUp(blocks_, threads == 1 ? 1 : std::min(blocks_, DivideUp(kTasksPerThread * threads, rows)));
  const int64_t groups = DivideUp(blocks_, group);
  context_.pool.ParallelFor(rows * groups, 1, [&](int64_t task, int64_t, int thread) {
    const int64_t row = task / groups;
    const int64_t first = task % groups * group;
    Workspace& workspace = workspaces_[thread];
    Load(convolution_.x + row * convolution_.images.elements(), workspace);
    for (int64_t block = first; block < std::min(first + group, blocks_); ++block) {
      BlockWinners(block, workspace, units + row * convolution_.maps, values + row * convolution_.maps);
    }
  });
}

}  // namespace kwta
