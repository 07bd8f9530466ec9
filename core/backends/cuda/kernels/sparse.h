// Codes: their reconstruction, their order by unit, and gradients through them.
#pragma once

#include <cstdint>

#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/dense.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"

namespace kwta::cuda {

// output[row] = sum of values[row, e] atoms[indices[row, e]] + bias + sign * target, a block a row; and the sum of the
// squares of each row. Indices below 0 count for nothing.
struct DecodeKernel {
  static constexpr KernelId kId = KernelId::kDecode;
  static constexpr const char* kName = "decode";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const float> atoms, bias, target, values;
    Global<const int32_t> indices;
    int64_t k = 0, width = 0;
    float sign = -1;
    Global<float> output;
    Global<double> squares;  // [rows], or none
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<double>(kWarp);
    const int64_t row = t.block();
    const auto indices = t.View(a.indices, row * a.k, a.k);
    const auto values = t.View(a.values, row * a.k, a.k);
    double squares = 0;
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      float sum = IsNull(a.bias) ? 0.0f : t.Load(a.bias, d);
      for (int64_t e = 0; t.Below(e, a.k); ++e) {
        if (indices[e] >= 0) sum += values[e] * t.Load(a.atoms, indices[e] * a.width + d);
      }
      if (!IsNull(a.target)) sum += a.sign * t.Load(a.target, row * a.width + d);
      t.Store(a.output, row * a.width + d, sum);
      squares += static_cast<double>(sum) * sum;
    }
    if (IsNull(a.squares)) return;
    squares = BlockSum(t, sums, squares);
    if (t.thread() == 0) t.Store(a.squares, row, squares);
  }
};

// The entries of codes in the order of their groups (index / divisor), and in a group by entry: entry e is row e / k.
struct Groups {
  Global<int32_t> counts, starts, cursors;  // [groups]
  Global<int32_t> entries;                  // [rows * k], sorted
};

// Counts the entries of each group: a thread an entry. Indices below 0 are in none.
struct CountKernel {
  static constexpr KernelId kId = KernelId::kCount;
  static constexpr const char* kName = "count";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const int32_t> indices;
    int64_t divisor = 1;
    Global<int32_t> counts;  // in, out
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t e = t.block() * t.threads() + t.thread();
    if (!t.Below(e, a.indices.size)) return;
    const int32_t index = t.Load(a.indices, e);
    if (index >= 0) t.AtomicAdd(a.counts, index / a.divisor, 1);
  }
};

// starts[g] = counts[0] + .. + counts[g - 1]: one block.
struct ScanKernel {
  static constexpr KernelId kId = KernelId::kScan;
  static constexpr const char* kName = "scan";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const int32_t> counts;
    Global<int32_t> starts;
  };
  static int64_t SharedBytes(const Args&, int) { return kWarp * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto totals = t.template Shared<int>(kWarp);
    int before = 0;
    for (int64_t begin = 0; t.Below(begin, a.counts.size); begin += t.threads()) {
      const int64_t g = begin + t.thread();
      const int own = t.Below(g, a.counts.size) ? t.Load(a.counts, g) : 0;
      int up_to = own;
      for (int lanes = 1; lanes < kWarp; lanes *= 2) {
        const int below = t.ShuffleUp(up_to, lanes);
        if (t.lane() >= lanes) up_to += below;
      }
      if (t.lane() == kWarp - 1) totals.Set(t.warp(), up_to);
      t.Barrier();
      int start = before + up_to - own;
      for (int warp = 0; t.Below(warp, t.threads() / kWarp); ++warp) {
        const int total = totals.Get(warp);
        if (warp < t.warp()) start += total;
        before += total;
      }
      if (t.Below(g, a.counts.size)) t.Store(a.starts, g, start);
      t.Barrier();
    }
  }
};

// Puts each entry somewhere among those of its group: a thread an entry. cursors are zeros.
struct ScatterKernel {
  static constexpr KernelId kId = KernelId::kScatter;
  static constexpr const char* kName = "scatter";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const int32_t> indices, starts;
    int64_t divisor = 1;
    Global<int32_t> cursors, entries;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t e = t.block() * t.threads() + t.thread();
    if (!t.Below(e, a.indices.size)) return;
    const int32_t index = t.Load(a.indices, e);
    if (index < 0) return;
    const int64_t group = index / a.divisor;
    t.Store(a.entries, t.Load(a.starts, group) + t.AtomicAdd(a.cursors, group, 1), static_cast<int32_t>(e));
  }
};

// Sorts the entries of each group: a thread an entry, which counts those before it. The order in which threads
// scattered them no longer matters.
struct SortGroupsKernel {
  static constexpr KernelId kId = KernelId::kSortGroups;
  static constexpr const char* kName = "sort_groups";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const int32_t> indices, counts, starts, scattered;
    int64_t divisor = 1;
    Global<int32_t> sorted;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t own = t.block() * t.threads() + t.thread();
    if (!t.Below(own, t.Load(a.starts, a.starts.size - 1) + t.Load(a.counts, a.counts.size - 1))) return;
    const int32_t entry = t.Load(a.scattered, own);
    const int64_t group = t.Load(a.indices, entry) / a.divisor, start = t.Load(a.starts, group);
    const int count = t.Load(a.counts, group);
    const auto entries = t.View(a.scattered, start, count);
    int before = 0;
    for (int other = 0; t.Below(other, count); ++other) before += entries[other] < entry;
    t.Store(a.sorted, start + before, entry);
  }
};

// ActiveGradient: a block a unit.
struct ActiveGradientKernel {
  static constexpr KernelId kId = KernelId::kActiveGradient;
  static constexpr const char* kName = "active_gradient";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Groups groups;
    Global<const float> dz, atoms, x, x_values;
    Global<const int32_t> x_indices;
    int64_t k = 0, x_k = 0, width = 0;
    float decay = 0;
    Global<float> gradient_atoms, gradient_bias;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t unit = t.block(), row = unit * a.width;
    const int count = t.Load(a.groups.counts, unit);
    if (count == 0) {
      if (t.thread() == 0) t.Store(a.gradient_bias, unit, 0.0f);
      return;
    }
    const auto entries = t.View(a.groups.entries, t.Load(a.groups.starts, unit), count);
    if (t.thread() == 0) {
      double bias = 0;
      for (int i = 0; t.Below(i, count); ++i) bias += t.Load(a.dz, entries[i]);
      t.Store(a.gradient_bias, unit, static_cast<float>(bias));
    }
    for (int64_t d = t.thread(); t.Below(d, a.width); d += t.threads()) {
      float sum = a.decay != 0 ? a.decay * t.Load(a.atoms, row + d) : 0.0f;
      if (!IsNull(a.x)) {
        for (int i = 0; t.Below(i, count); ++i)
          sum += t.Load(a.dz, entries[i]) * t.Load(a.x, entries[i] / a.k * a.width + d);
      }
      t.Store(a.gradient_atoms, row + d, sum);
    }
    if (!IsNull(a.x)) return;
    // Entry after entry, since rows share elements; those of a row are different.
    for (int i = 0; t.Below(i, count); ++i) {
      t.Barrier();
      const float dz = t.Load(a.dz, entries[i]);
      const int64_t first = entries[i] / a.k * a.x_k;
      for (int64_t q = t.thread(); t.Below(q, a.x_k); q += t.threads()) {
        const int64_t at = row + t.Load(a.x_indices, first + q);
        t.Store(a.gradient_atoms, at, t.Load(a.gradient_atoms, at) + dz * t.Load(a.x_values, first + q));
      }
    }
  }
};

}  // namespace kwta::cuda
