// Products, sums and updates of dense arrays.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/length_factor.h"

namespace kwta::cuda {

// c[m, n] = scale * a b, plus c if `add`; a is [m, k] or, transposed, [k, m]; b is [k, n] or, transposed, [n, k].
// Binary32, summed in the order of k. A block has a tile of kTile x kTile, of which each thread has 4 x 4.
struct ProductKernel {
  static constexpr KernelId kId = KernelId::kProduct;
  static constexpr const char* kName = "product";
  static constexpr int kTile = 64, kDepth = 16, kEach = 4, kSide = kTile / kEach, kMaxThreads = kSide * kSide;

  struct Args {
    Global<const float> a, b;
    Global<float> c;
    int64_t m = 0, n = 0, k = 0;
    bool transpose_a = false, transpose_b = false, add = false;
    float scale = 1;
  };
  static int64_t Blocks(const Args& a) { return (a.m + kTile - 1) / kTile * ((a.n + kTile - 1) / kTile); }
  static int64_t SharedBytes(const Args&, int) { return 2 * kDepth * kTile * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto left = t.template Shared<float>(kDepth * kTile);
    auto right = t.template Shared<float>(kDepth * kTile);
    const int64_t tiles = (a.m + kTile - 1) / kTile;
    const int64_t i0 = t.block() % tiles * kTile, j0 = t.block() / tiles * kTile;
    const int row = t.thread() / kSide, column = t.thread() % kSide;
    float sums[kEach][kEach];
    for (int r = 0; r < kEach; ++r) {
      for (int c = 0; c < kEach; ++c) sums[r][c] = 0;
    }
    for (int64_t p0 = 0; t.Below(p0, a.k); p0 += kDepth) {
      for (int e = t.thread(); t.Below(e, kDepth * kTile); e += t.threads()) {
        // Neighbouring threads read neighbouring numbers, whichever way the matrix lies.
        const int p = a.transpose_a ? e / kTile : e % kDepth, i = a.transpose_a ? e % kTile : e / kDepth;
        const int q = a.transpose_b ? e % kDepth : e / kTile, j = a.transpose_b ? e / kDepth : e % kTile;
        float from_a = 0, from_b = 0;
        if (t.Below(p0 + p, a.k) && t.Below(i0 + i, a.m)) {
          from_a = t.Load(a.a, a.transpose_a ? (p0 + p) * a.m + i0 + i : (i0 + i) * a.k + p0 + p);
        }
        if (t.Below(p0 + q, a.k) && t.Below(j0 + j, a.n)) {
          from_b = t.Load(a.b, a.transpose_b ? (j0 + j) * a.k + p0 + q : (p0 + q) * a.n + j0 + j);
        }
        left.Set(p * kTile + i, from_a);
        right.Set(q * kTile + j, from_b);
      }
      t.Barrier();
      const int depth = a.k - p0 < kDepth ? static_cast<int>(a.k - p0) : kDepth;
      for (int p = 0; t.Below(p, depth); ++p) {
        const auto x = left.Range(p * kTile + row * kEach, kEach), y = right.Range(p * kTile + column * kEach, kEach);
        for (int r = 0; r < kEach; ++r) {
          for (int c = 0; c < kEach; ++c) sums[r][c] += x[r] * y[c];
        }
      }
      t.Barrier();
    }
    for (int r = 0; r < kEach; ++r) {
      for (int c = 0; c < kEach; ++c) {
        const int64_t i = i0 + row * kEach + r, j = j0 + column * kEach + c;
        if (!t.Below(i, a.m) || !t.Below(j, a.n)) continue;
        const float before = a.add ? t.Load(a.c, i * a.n + j) : 0.0f;
        t.Store(a.c, i * a.n + j, before + a.scale * sums[r][c]);
      }
    }
  }
};

// out[j] = scale * the sum of column j of x[rows, columns], in binary64 and a fixed order. A block has 32 columns.
struct ColumnSumsKernel {
  static constexpr KernelId kId = KernelId::kColumnSums;
  static constexpr const char* kName = "column_sums";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> x;
    int64_t rows = 0, columns = 0;
    double scale = 1;
    Global<float> out;
  };
  static int64_t Blocks(const Args& a) { return (a.columns + kWarp - 1) / kWarp; }
  static int64_t SharedBytes(const Args&, int threads) { return threads * 8; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(t.threads());
    const int64_t column = t.block() * kWarp + t.lane();
    double sum = 0;
    if (t.Below(column, a.columns)) {
      for (int64_t i = t.warp(); t.Below(i, a.rows); i += t.threads() / kWarp)
        sum += t.Load(a.x, i * a.columns + column);
    }
    sums.Set(t.thread(), sum);
    t.Barrier();
    if (t.warp() != 0 || !t.Below(column, a.columns)) return;
    for (int warp = 1; t.Below(warp, t.threads() / kWarp); ++warp) sum += sums.Get(warp * kWarp + t.lane());
    t.Store(a.out, column, static_cast<float>(a.scale * sum));
  }
};

// out[0] = the sum of x in binary64 and a fixed order, or 0 if `count` is given and is 0. One block.
struct SumKernel {
  static constexpr KernelId kId = KernelId::kSum;
  static constexpr const char* kName = "sum";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const double> x;
    Global<const int32_t> count;
    Global<double> out;
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(kWarp);
    double sum = 0;
    for (int64_t i = t.thread(); t.Below(i, a.x.size); i += t.threads()) sum += t.Load(a.x, i);
    sum = BlockSum(t, sums, sum);
    if (!IsNull(a.count) && t.Load(a.count, 0) == 0) sum = 0;
    if (t.thread() == 0) t.Store(a.out, 0, sum);
  }
};

// False if a number is given that is not finite: training has diverged, and nothing is updated.
template <typename Thread>
KWTA_HOST_DEVICE inline bool MayUpdate(Thread& t, const Global<const double>& gate) {
  if (IsNull(gate)) return true;
  const double value = t.Load(gate, 0);
  return value - value == 0;
}

// One number of a momentum step (MomentumUpdateArgs). Returns the parameter.
template <typename Thread>
KWTA_HOST_DEVICE inline float MomentumStep(Thread& t, const Global<float>& parameter, const Global<float>& velocity,
                                           int64_t i, double gradient, float rate, float momentum) {
  float moving = static_cast<float>(static_cast<double>(momentum) * t.Load(velocity, i) - rate * gradient);
  if (moving < FLT_MIN && moving > -FLT_MIN) moving = 0;
  const float moved = t.Load(parameter, i) + moving;
  t.Store(velocity, i, moving);
  t.Store(parameter, i, moved);
  return moved;
}

// Scales row[width] of a matrix to the length that LengthFactor says. The thread has its own elements and the sum of
// their squares.
template <typename Thread, typename Shared>
KWTA_HOST_DEVICE inline void ScaleRow(Thread& t, Shared& sums, const Global<float>& matrix, int64_t row, int64_t width,
                                      bool unit_norm, float max_norm, double squares) {
  const double factor = LengthFactor(unit_norm, max_norm, BlockSum(t, sums, squares));
  if (factor == 1) return;
  for (int64_t d = t.thread(); t.Below(d, width); d += t.threads()) {
    t.Store(matrix, row + d, static_cast<float>(t.Load(matrix, row + d) * factor));
  }
}

// MomentumUpdate: a block a row.
struct MomentumKernel {
  static constexpr KernelId kId = KernelId::kMomentum;
  static constexpr const char* kName = "momentum";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<float> parameter, velocity;
    Global<const float> gradient;
    Global<const int32_t> active_rows;
    Global<const double> gate;
    int64_t width = 0;
    float rate = 0, momentum = 0, max_norm = 0;
    bool unit_norm = false;
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    if (!MayUpdate(t, a.gate)) return;
    auto sums = t.template Shared<double>(kWarp);
    const int64_t row = t.block() * a.width;
    const bool active = IsNull(a.active_rows) || t.Load(a.active_rows, t.block()) != 0;
    double squares = 0;
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      const double gradient = active ? t.Load(a.gradient, row + d) : 0.0f;
      const double moved = MomentumStep(t, a.parameter, a.velocity, row + d, gradient, a.rate, a.momentum);
      squares += moved * moved;
    }
    if (!a.unit_norm && a.max_norm == 0) return;
    ScaleRow(t, sums, a.parameter, row, a.width, a.unit_norm, a.max_norm, squares);
  }
};

// AdamUpdate: a thread a number. The corrections are 1 - beta^step.
struct AdamKernel {
  static constexpr KernelId kId = KernelId::kAdam;
  static constexpr const char* kName = "adam";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<float> parameter, first, second;
    Global<const float> gradient;
    double first_correction = 1, second_correction = 1;
    float rate = 0, beta1 = 0, beta2 = 0, epsilon = 0;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (!t.Below(i, a.parameter.size)) return;
    const double gradient = t.Load(a.gradient, i), beta1 = a.beta1, beta2 = a.beta2;
    const double first = beta1 * t.Load(a.first, i) + (1 - beta1) * gradient;
    const double second = beta2 * t.Load(a.second, i) + (1 - beta2) * gradient * gradient;
    t.Store(a.first, i, static_cast<float>(first));
    t.Store(a.second, i, static_cast<float>(second));
    t.Store(a.parameter, i,
            static_cast<float>(t.Load(a.parameter, i) - a.rate * (first / a.first_correction) /
                                                            (sqrt(second / a.second_correction) + a.epsilon)));
  }
};

}  // namespace kwta::cuda
