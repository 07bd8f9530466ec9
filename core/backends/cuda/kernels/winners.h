// Winner-take-all convolution (core/backends/winner_args.h).
#pragma once

#include <cstdint>

#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/cuda/kernels/keys.h"
#include "core/backends/cuda/kernels/sparse.h"

namespace kwta::cuda {

// The geometry that kernels need of images and filters.
struct Maps {
  int64_t maps = 0, size = 0, channels = 0, height = 0, width = 0;

  KWTA_HOST_DEVICE int64_t positions() const { return height * width; }
  KWTA_HOST_DEVICE int64_t elements() const { return channels * height * width; }
  KWTA_HOST_DEVICE int64_t weights() const { return channels * size * size; }
};

// Filters and images of a convolution.
struct Convolution {
  Maps shape;
  Global<const float> filters, bias, x;
};

// The activity of a map at (row, column) of an image, with FixedOrderConvolution's bits. `filter` is the map's.
template <typename Thread, typename Shared, typename View>
KWTA_HOST_DEVICE inline float Activity(const Maps& s, const Shared& filter, const View& image, float bias, int64_t row,
                                       int64_t column) {
  int64_t lanes = 1;
  int bits = 0;
  for (; lanes < s.size; lanes *= 2) ++bits;
  // Columns come in the order of their bits read backwards, so that the tree of sums is that of a counter's carries.
  constexpr int kDepth = 11;
  float sums[kDepth];
  const int64_t top = row - (s.size - 1) / 2, left = column - (s.size - 1) / 2;
  for (int64_t b = 0; b < lanes; ++b) {
    int64_t dx = 0;
    for (int bit = 0; bit < bits; ++bit) dx |= (b >> bit & 1) << (bits - 1 - bit);
    float sum = 0;
    if (dx < s.size) {
      const int64_t px = left + dx;
      const bool inside = px >= 0 && px < s.width;
      for (int64_t c = 0; c < s.channels; ++c) {
        for (int64_t dy = 0; dy < s.size; ++dy) {
          const int64_t py = top + dy;
          // A pixel outside is a zero that is multiplied like all others: a filter may be infinite.
          const float pixel = inside && py >= 0 && py < s.height ? image[(c * s.height + py) * s.width + px] : 0.0f;
          sum = Thread::Sum(sum, Thread::Product(pixel, filter[(c * s.size + dy) * s.size + dx]));
        }
      }
    }
    int level = 0;
    for (; (b >> level & 1) != 0; ++level) sum = Thread::Sum(sums[level], sum);
    sums[level] = sum;
  }
  return Thread::Sum(sums[bits], bias);
}

// activities[image, map, position], a block a map of an image. NaN stays NaN.
struct ConvolveKernel {
  static constexpr KernelId kId = KernelId::kConvolve;
  static constexpr const char* kName = "convolve";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Convolution convolution;
    int64_t first = 0;  // image
    Global<float> activities;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const Maps& s = a.convolution.shape;
    const int64_t image = t.block() / s.maps, map = t.block() % s.maps;
    const auto pixels = t.View(a.convolution.x, (a.first + image) * s.elements(), s.elements());
    const auto filter = t.View(a.convolution.filters, map * s.weights(), s.weights());
    const float bias = t.Load(a.convolution.bias, map);
    for (int64_t p = t.thread(); t.Below(p, s.positions()); p += t.threads()) {
      t.Store(a.activities, t.block() * s.positions() + p,
              Activity<Thread>(s, filter, pixels, bias, p / s.width, p % s.width));
    }
  }
};

// The largest activity of each map, fused with the convolution: a block a map of an image.
struct WinnerKernel {
  static constexpr KernelId kId = KernelId::kWinner;
  static constexpr const char* kName = "winner";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Convolution convolution;
    Global<int32_t> units;  // [images, maps]
    Global<float> values;
  };
  static int64_t SharedBytes(const Args&, int) { return kWarp * 8; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto best_of_warps = t.template Shared<uint64_t>(kWarp);
    const Maps& s = a.convolution.shape;
    const int64_t image = t.block() / s.maps, map = t.block() % s.maps;
    const auto pixels = t.View(a.convolution.x, image * s.elements(), s.elements());
    const auto filter = t.View(a.convolution.filters, map * s.weights(), s.weights());
    const float bias = t.Load(a.convolution.bias, map);
    uint64_t best = 0;
    for (int64_t p = t.thread(); t.Below(p, s.positions()); p += t.threads()) {
      const float z = Activity<Thread>(s, filter, pixels, bias, p / s.width, p % s.width);
      const uint64_t key = KeyOf(OrderedScore(z), map * s.positions() + p);
      if (z > 0 && key > best) best = key;
    }
    for (int mask = kWarp / 2; mask > 0; mask /= 2) {
      const uint64_t other = t.ShuffleXor(best, mask);
      if (other > best) best = other;
    }
    if (t.lane() == 0) best_of_warps.Set(t.warp(), best);
    t.Barrier();
    if (t.thread() != 0) return;
    for (int warp = 1; t.Below(warp, t.threads() / kWarp); ++warp) {
      if (best_of_warps.Get(warp) > best) best = best_of_warps.Get(warp);
    }
    t.Store(a.units, t.block(), best == 0 ? -1 : UnitOf(best));
    t.Store(a.values, t.block(), best == 0 ? 0.0f : ScoreOf(OrderedOf(best)));
  }
};

// ConvPool: a block a map of an image, which holds as many rows of activities as a window is high.
struct PoolKernel {
  static constexpr KernelId kId = KernelId::kPool;
  static constexpr const char* kName = "pool";
  static constexpr int kMaxThreads = 128;

  struct Args {
    Convolution convolution;
    int64_t window = 1, stride = 1, padding = 0, pooled_height = 0, pooled_width = 0;
    Global<float> output;  // [images, maps, pooled height, pooled width]
  };
  static int64_t SharedBytes(const Args& a, int) { return a.window * a.convolution.shape.width * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const Maps& s = a.convolution.shape;
    auto rows = t.template Shared<float>(a.window * s.width);  // image row y in row y % window
    const int64_t image = t.block() / s.maps, map = t.block() % s.maps;
    const auto pixels = t.View(a.convolution.x, image * s.elements(), s.elements());
    const auto filter = t.View(a.convolution.filters, map * s.weights(), s.weights());
    const float bias = t.Load(a.convolution.bias, map);
    int64_t next = 0;  // the first row without activities
    for (int64_t py = 0; t.Below(py, a.pooled_height); ++py) {
      const int64_t begin = py * a.stride - a.padding;
      const int64_t top = begin < 0 ? 0 : begin;
      const int64_t bottom = begin + a.window < s.height ? begin + a.window : s.height;
      if (next < top) next = top;
      for (int64_t p = next * s.width + t.thread(); t.Below(p, bottom * s.width); p += t.threads()) {
        const float z = Activity<Thread>(s, filter, pixels, bias, p / s.width, p % s.width);
        rows.Set(p / s.width % a.window * s.width + p % s.width, z > 0 ? z : 0.0f);
      }
      if (next < bottom) next = bottom;
      t.Barrier();
      for (int64_t px = t.thread(); t.Below(px, a.pooled_width); px += t.threads()) {
        const int64_t left = px * a.stride - a.padding;
        float largest = 0;
        for (int64_t y = top; t.Below(y, bottom); ++y) {
          for (int64_t x = left < 0 ? 0 : left; x < left + a.window && x < s.width; ++x) {
            const float value = rows.Get(y % a.window * s.width + x);
            if (value > largest) largest = value;
          }
        }
        t.Store(a.output, (t.block() * a.pooled_height + py) * a.pooled_width + px, largest);
      }
      t.Barrier();
    }
  }
};

// ConvPool of activities that ConvolveKernel wrote, for images of which a block cannot hold a window: a thread a
// window.
struct PoolActivitiesKernel {
  static constexpr KernelId kId = KernelId::kPoolActivities;
  static constexpr const char* kName = "pool_activities";
  static constexpr int kMaxThreads = 128;

  struct Args {
    Maps shape;
    int64_t window = 1, stride = 1, padding = 0, pooled_height = 0, pooled_width = 0;
    Global<const float> activities;  // [maps of images, positions]
    Global<float> output;            // [maps of images, pooled height, pooled width]
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (!t.Below(i, a.output.size)) return;
    const int64_t map = i / (a.pooled_height * a.pooled_width);
    const int64_t top = i / a.pooled_width % a.pooled_height * a.stride - a.padding;
    const int64_t left = i % a.pooled_width * a.stride - a.padding;
    float largest = 0;
    for (int64_t y = top < 0 ? 0 : top; y < top + a.window && y < a.shape.height; ++y) {
      for (int64_t x = left < 0 ? 0 : left; x < left + a.window && x < a.shape.width; ++x) {
        const float value = t.Load(a.activities, map * a.shape.positions() + y * a.shape.width + x);
        if (value > largest) largest = value;
      }
    }
    t.Store(a.output, i, largest);
  }
};

// WinnerDecode plus sign * target: a block an image, a thread each pixel. And the sum of the squares of each image.
struct WinnerDecodeKernel {
  static constexpr KernelId kId = KernelId::kWinnerDecode;
  static constexpr const char* kName = "winner_decode";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Maps shape;
    Global<const float> filters, bias, values, target;
    Global<const int32_t> units;
    int64_t entries = 0;
    Global<float> output;
    Global<double> squares;  // [images], or none
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(kWarp);
    const Maps& s = a.shape;
    const int64_t image = t.block(), before = (s.size - 1) / 2;
    const auto units = t.View(a.units, image * a.entries, a.entries);
    const auto values = t.View(a.values, image * a.entries, a.entries);
    double squares = 0;
    for (int64_t p = t.thread(); t.Below(p, s.elements()); p += t.threads()) {
      const int64_t c = p / s.positions(), y = p % s.positions() / s.width, x = p % s.width;
      float sum = t.Load(a.bias, c);
      for (int64_t e = 0; t.Below(e, a.entries); ++e) {
        if (units[e] < 0) continue;
        const int64_t position = units[e] % s.positions();
        const int64_t dy = y - position / s.width + before, dx = x - position % s.width + before;
        if (dy < 0 || dy >= s.size || dx < 0 || dx >= s.size) continue;
        sum += values[e] *
               t.Load(a.filters, (units[e] / s.positions() * s.channels + c) * s.size * s.size + dy * s.size + dx);
      }
      if (!IsNull(a.target)) sum -= t.Load(a.target, image * s.elements() + p);
      t.Store(a.output, image * s.elements() + p, sum);
      squares += static_cast<double>(sum) * sum;
    }
    if (IsNull(a.squares)) return;
    squares = BlockSum(t, sums, squares);
    if (t.thread() == 0) t.Store(a.squares, image, squares);
  }
};

// dz of each winner: scale <patch of the residual around it, its map's decoder filter>. A warp an entry.
struct WinnerDotsKernel {
  static constexpr KernelId kId = KernelId::kWinnerDots;
  static constexpr const char* kName = "winner_dots";
  static constexpr int kMaxThreads = kWarp;

  struct Args {
    Maps shape;  // of the decoder
    Global<const float> filters, residual;
    Global<const int32_t> units;
    int64_t entries = 0;  // of an image
    float scale = 1;
    Global<float> dz;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const Maps& s = a.shape;
    const int32_t unit = t.Load(a.units, t.block());
    if (unit < 0) return;
    const auto image = t.View(a.residual, t.block() / a.entries * s.elements(), s.elements());
    const auto filter = t.View(a.filters, unit / s.positions() * s.weights(), s.weights());
    const int64_t position = unit % s.positions();
    const int64_t top = position / s.width - (s.size - 1) / 2, left = position % s.width - (s.size - 1) / 2;
    float sum = 0;
    for (int64_t w = t.lane(); t.Below(w, s.weights()); w += kWarp) {
      const int64_t y = top + w / s.size % s.size, x = left + w % s.size;
      if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
      sum += filter[w] * image[(w / (s.size * s.size) * s.height + y) * s.width + x];
    }
    sum = WarpSum(t, sum);
    if (t.lane() == 0) t.Store(a.dz, t.block(), a.scale * sum);
  }
};

// gradient[map] = sum over the winners of the map of scale * factors[winner] * patch of the image around it, plus what
// is there if `add`; a block a map, a thread a weight. And, if asked for, the sum of the factors, and the number of
// images in which the map has a winner, added to active_rows.
struct WinnerGradientKernel {
  static constexpr KernelId kId = KernelId::kWinnerGradient;
  static constexpr const char* kName = "winner_gradient";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Maps shape;
    Groups groups;
    Global<const float> factors, images;
    Global<const int32_t> units;
    int64_t entries = 0;  // of an image
    float scale = 1;
    bool add = false;
    Global<const double> gate;  // of active_rows
    Global<float> gradient, factor_sums;
    Global<int32_t> active_rows;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const Maps& s = a.shape;
    const int64_t map = t.block();
    const int count = t.Load(a.groups.counts, map);
    const auto entries = t.View(a.groups.entries, t.Load(a.groups.starts, map), count);
    for (int64_t w = t.thread(); t.Below(w, s.weights()); w += t.threads()) {
      const int64_t dy = w / s.size % s.size - (s.size - 1) / 2, dx = w % s.size - (s.size - 1) / 2;
      float sum = 0;
      for (int i = 0; t.Below(i, count); ++i) {
        const int64_t position = t.Load(a.units, entries[i]) % s.positions();
        const int64_t y = position / s.width + dy, x = position % s.width + dx;
        if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
        const int64_t pixel = (w / (s.size * s.size) * s.height + y) * s.width + x;
        sum += t.Load(a.factors, entries[i]) * t.Load(a.images, entries[i] / a.entries * s.elements() + pixel);
      }
      const int64_t at = map * s.weights() + w;
      t.Store(a.gradient, at, (a.add ? t.Load(a.gradient, at) : 0.0f) + a.scale * sum);
    }
    if (t.thread() != 0) return;
    double factors = 0;
    int rows = 0;
    int64_t last = -1;
    for (int i = 0; t.Below(i, count); ++i) {
      factors += t.Load(a.factors, entries[i]);
      rows += entries[i] / a.entries != last;
      last = entries[i] / a.entries;
    }
    if (!IsNull(a.factor_sums)) t.Store(a.factor_sums, map, static_cast<float>(factors));
    if (!IsNull(a.active_rows) && MayUpdate(t, a.gate)) t.Store(a.active_rows, map, t.Load(a.active_rows, map) + rows);
  }
};

// out[channel] = scale * the sum of that channel of all images, in binary64: a block a channel.
struct ChannelSumsKernel {
  static constexpr KernelId kId = KernelId::kChannelSums;
  static constexpr const char* kName = "channel_sums";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Maps shape;
    int64_t images = 0;
    Global<const float> x;
    double scale = 1;
    Global<float> out;
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(kWarp);
    const int64_t positions = a.shape.positions();
    double sum = 0;
    for (int64_t p = t.thread(); t.Below(p, a.images * positions); p += t.threads()) {
      sum += t.Load(a.x, (p / positions * a.shape.channels + t.block()) * positions + p % positions);
    }
    sum = BlockSum(t, sums, sum);
    if (t.thread() == 0) t.Store(a.out, t.block(), static_cast<float>(a.scale * sum));
  }
};

}  // namespace kwta::cuda
