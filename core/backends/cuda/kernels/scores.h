// Exact scores: every unit's, and those of candidates.
#pragma once

#include <cstdint>

#include "core/backends/activation.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/cuda/kernels/keys.h"

namespace kwta::cuda {

// The 64 partial sums of core/simd/fixed_order_dot.h.
constexpr int kLanes = 64;

// Adds the 64 partial sums as FixedOrderDot does. Leaves them changed.
template <typename Thread>
KWTA_HOST_DEVICE inline float AddLanes(float* sums) {
  KWTA_CUDA_UNROLL
  for (int step = kLanes / 2; step > 0; step /= 2) {
    KWTA_CUDA_UNROLL
    for (int l = 0; l < kLanes / 2; ++l) {
      if (l < step) sums[l] = Thread::Sum(sums[l], sums[l + step]);
    }
  }
  return sums[0];
}

// scores[slot, j] = FixedOrderDot(x[row], atoms[unit]) + bias[unit], or its activation. A block has kRows rows and
// kUnits units, a thread each pair.
struct ExactScoresKernel {
  static constexpr KernelId kId = KernelId::kExactScores;
  static constexpr const char* kName = "exact_scores";
  static constexpr int kRows = 8, kUnits = 16, kMaxThreads = kRows * kUnits;
  static constexpr int kStride = kLanes + 1;  // so that units lie in different banks
  static constexpr int kNoActivation = -1;

  struct Args {
    Global<const float> x, atoms, bias;
    int64_t width = 0;
    int64_t rows = 0;                             // slots
    int64_t first = 0, units = 0;                 // units first .. first + units - 1 of the list
    Global<const int32_t> unit_list, unit_count;  // or none: unit j is the j-th. Beyond the count there is none
    Global<const int32_t> row_list, row_count;    // or none: slot i is row i. Beyond the count there is none
    // Blocks take tiles of rows in turn, this many at a time. 0: all have a block. Few, if the list is most often
    // empty: even blocks that end at once take time.
    int64_t tiles_at_once = 0;
    int64_t stride = 0;    // of scores
    Global<float> scores;  // [rows, stride], of which units are written
    int activation = kNoActivation;
  };
  static KWTA_HOST_DEVICE int64_t RowTiles(const Args& a) {
    const int64_t all = (a.rows + kRows - 1) / kRows;
    return a.tiles_at_once > 0 && a.tiles_at_once < all ? a.tiles_at_once : all;
  }
  static int64_t Blocks(const Args& a) { return RowTiles(a) * ((a.units + kUnits - 1) / kUnits); }
  static int64_t SharedBytes(const Args&, int) { return (kRows * kStride * 4 + 15) / 16 * 16 + kUnits * kStride * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t row_tiles = RowTiles(a), unit0 = t.block() / row_tiles * kUnits;
    const int64_t rows = IsNull(a.row_count) ? a.rows : t.Load(a.row_count, 0);
    const int64_t listed = IsNull(a.unit_count) ? a.first + a.units : t.Load(a.unit_count, 0);
    if (a.first + unit0 >= listed) return;
    auto xs = t.template Shared<float>(kRows * kStride);
    auto ws = t.template Shared<float>(kUnits * kStride);
    for (int64_t slot0 = t.block() % row_tiles * kRows; t.Below(slot0, rows); slot0 += row_tiles * kRows) {
      Tile(t, a, xs, ws, rows, listed, slot0, unit0);
    }
  }

 private:
  template <typename Thread, typename Shared>
  static KWTA_HOST_DEVICE void Tile(Thread& t, const Args& a, Shared& xs, Shared& ws, int64_t rows, int64_t listed,
                                    int64_t slot0, int64_t unit0) {
    const int row_here = t.thread() / kUnits, unit_here = t.thread() % kUnits;
    float sums[kLanes];
    KWTA_CUDA_UNROLL
    for (int l = 0; l < kLanes; ++l) sums[l] = 0;
    for (int64_t start = 0; t.Below(start, a.width); start += kLanes) {
      for (int e = t.thread(); t.Below(e, kRows * kLanes); e += t.threads()) {
        const int64_t slot = slot0 + e / kLanes, d = start + e % kLanes;
        if (!t.Below(d, a.width)) continue;
        float value = 0;
        if (t.Below(slot, rows) && t.Below(slot, a.rows)) value = t.Load(a.x, RowOf(t, a, slot) * a.width + d);
        xs.Set(e / kLanes * kStride + e % kLanes, value);
      }
      for (int e = t.thread(); t.Below(e, kUnits * kLanes); e += t.threads()) {
        const int64_t j = unit0 + e / kLanes, d = start + e % kLanes;
        if (!t.Below(d, a.width)) continue;
        float value = 0;
        if (t.Below(j, a.units) && t.Below(a.first + j, listed)) value = t.Load(a.atoms, UnitOf(t, a, j) * a.width + d);
        ws.Set(e / kLanes * kStride + e % kLanes, value);
      }
      t.Barrier();
      const int64_t here = a.width - start < kLanes ? a.width - start : kLanes;
      const auto x = xs.Range(row_here * kStride, here), w = ws.Range(unit_here * kStride, here);
      if (here == kLanes) {
        KWTA_CUDA_UNROLL
        for (int l = 0; l < kLanes; ++l) sums[l] = Thread::Sum(sums[l], Thread::Product(x[l], w[l]));
      } else {
        KWTA_CUDA_UNROLL
        for (int l = 0; l < kLanes; ++l) {
          if (l < here) sums[l] = Thread::Sum(sums[l], Thread::Product(x[l], w[l]));
        }
      }
      t.Barrier();
    }
    const int64_t slot = slot0 + row_here, j = unit0 + unit_here;
    if (!t.Below(slot, rows) || !t.Below(slot, a.rows) || !t.Below(j, a.units) || !t.Below(a.first + j, listed)) return;
    float score = Thread::Sum(AddLanes<Thread>(sums), t.Load(a.bias, UnitOf(t, a, j)));
    if (a.activation != kNoActivation) score = ActivationAt(static_cast<Activation>(a.activation), score).value;
    t.Store(a.scores, slot * a.stride + j, score);
  }
  template <typename Thread>
  static KWTA_HOST_DEVICE int64_t RowOf(Thread& t, const Args& a, int64_t slot) {
    return IsNull(a.row_list) ? slot : t.Load(a.row_list, slot);
  }
  template <typename Thread>
  static KWTA_HOST_DEVICE int64_t UnitOf(Thread& t, const Args& a, int64_t j) {
    return IsNull(a.unit_list) ? a.first + j : t.Load(a.unit_list, a.first + j);
  }
};

// FixedOrderDot of x[row] with each of some atoms of that row, which a block of one warp takes eight at a time. Writes
//   keys: in place of each candidate's key, that of its exact score, bias included; or
//   dots: scale * dot, for given units (below 0: 0).
struct ListedDotsKernel {
  static constexpr KernelId kId = KernelId::kListedDots;
  static constexpr const char* kName = "listed_dots";
  static constexpr int kMaxThreads = kWarp, kEach = 8;

  struct Args {
    Global<const float> x, atoms, bias;  // bias: for keys
    int64_t width = 0;
    Global<uint64_t> keys;         // [rows, capacity], or none
    Global<const int32_t> counts;  // [rows]: keys of each row; below 0: the row is left alone
    int64_t capacity = 0;
    Global<const int32_t> units;  // [rows, k], if there are no keys
    int64_t k = 0;
    float scale = 1;
    Global<float> dots;  // [rows, k]
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t row = t.block();
    const bool keyed = !IsNull(a.keys);
    const int64_t count = keyed ? t.Load(a.counts, row) : a.k;
    const auto x = t.View(a.x, row * a.width, a.width);
    for (int64_t begin = 0; t.Below(begin, count); begin += kEach) {
      int64_t unit[kEach];
      float sums[kEach];
      KWTA_CUDA_UNROLL
      for (int c = 0; c < kEach; ++c) {
        unit[c] = -1;
        if (t.Below(begin + c, count)) {
          unit[c] = keyed ? cuda::UnitOf(t.Load(a.keys, row * a.capacity + begin + c))
                          : t.Load(a.units, row * a.k + begin + c);
        }
        sums[c] = unit[c] < 0 ? 0 : LaneSum(t, a, x, unit[c]);
      }
      // Lanes l and l + 16 share out the eight sums, then l and l + 8, l and l + 4; at last each lane has one, over all
      // lanes but those that differ in the two lowest bits.
      int held = kEach;
      KWTA_CUDA_UNROLL
      for (int mask = kWarp / 2; mask >= 4; mask /= 2) {
        held /= 2;
        const bool upper = (t.lane() & mask) != 0;
        KWTA_CUDA_UNROLL
        for (int c = 0; c < kEach / 2; ++c) {
          if (c >= held) continue;
          const float give = upper ? sums[c] : sums[c + held], keep = upper ? sums[c + held] : sums[c];
          sums[c] = Thread::Sum(keep, t.ShuffleXor(give, mask));
        }
      }
      float dot = sums[0];
      dot = Thread::Sum(dot, t.ShuffleXor(dot, 2));
      dot = Thread::Sum(dot, t.ShuffleXor(dot, 1));
      const int own = (t.lane() & 16) / 4 + (t.lane() & 8) / 4 + (t.lane() & 4) / 4;
      t.WarpBarrier();  // every lane has read the keys: shuffles put nothing in memory in order
      if (t.lane() % 4 == 0 && t.Below(begin + own, count)) {
        if (keyed) {
          const int64_t at = row * a.capacity + begin + own;
          const int32_t own_unit = cuda::UnitOf(t.Load(a.keys, at));
          t.Store(a.keys, at, KeyOf(OrderedScore(Thread::Sum(dot, t.Load(a.bias, own_unit))), own_unit));
        } else {
          t.Store(a.dots, row * a.k + begin + own, Thread::Product(a.scale, dot));
        }
      }
    }
  }

 private:
  // The partial sums of lanes l and l + 32.
  template <typename Thread, typename View>
  static KWTA_HOST_DEVICE float LaneSum(Thread& t, const Args& a, const View& x, int64_t unit) {
    const auto w = t.View(a.atoms, unit * a.width, a.width);
    float low = 0, high = 0;
    for (int64_t d = t.lane(); t.Below(d, a.width); d += kLanes) low = Thread::Sum(low, Thread::Product(x[d], w[d]));
    for (int64_t d = t.lane() + kWarp; t.Below(d, a.width); d += kLanes)
      high = Thread::Sum(high, Thread::Product(x[d], w[d]));
    return Thread::Sum(low, high);
  }
};

}  // namespace kwta::cuda
