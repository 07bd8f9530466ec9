// What the threads of a warp or a block do together. Every thread of the block takes part in a call.
#pragma once

#include <cstdint>

#include "core/backends/cuda/kernels/global.h"

namespace kwta::cuda {

// The sum over the lanes of a warp, the same in all of them and in a fixed order.
template <typename Thread, typename T>
KWTA_HOST_DEVICE inline T WarpSum(Thread& t, T value) {
  for (int mask = kWarp / 2; mask > 0; mask /= 2) value = value + t.ShuffleXor(value, mask);
  return value;
}

// Shared memory that BlockSum needs.
constexpr int64_t kSumBytes = kWarp * 8;

// The sum over the threads of the block, the same in all of them and in a fixed order. `sums` has kWarp elements and
// may be used again after a barrier.
template <typename Thread, typename Shared, typename T>
KWTA_HOST_DEVICE inline T BlockSum(Thread& t, Shared& sums, T value) {
  value = WarpSum(t, value);
  if (t.lane() == 0) sums.Set(t.warp(), value);
  t.Barrier();
  T total = 0;
  for (int warp = 0; t.Below(warp, t.threads() / kWarp); ++warp) total = total + sums.Get(warp);
  return total;
}

// BlockSum of `count` numbers at once, in place. `sums` has count * kWarp elements and may be used again
// after a barrier.
template <typename Thread, typename Shared, typename T, int count>
KWTA_HOST_DEVICE inline void BlockSums(Thread& t, Shared& sums, T (&values)[count]) {
  KWTA_CUDA_UNROLL
  for (int i = 0; i < count; ++i) {
    values[i] = WarpSum(t, values[i]);
    if (t.lane() == 0) sums.Set(i * kWarp + t.warp(), values[i]);
  }
  t.Barrier();
  KWTA_CUDA_UNROLL
  for (int i = 0; i < count; ++i) {
    values[i] = 0;
    for (int warp = 0; t.Below(warp, t.threads() / kWarp); ++warp) values[i] = values[i] + sums.Get(i * kWarp + warp);
  }
}

// Where the threads of a block that raise `flag` stand among each other, and how many they are.
struct Rank {
  int before = 0, total = 0;
};

// `counts` has kWarp elements and may be used again at once.
template <typename Thread, typename Shared>
KWTA_HOST_DEVICE inline Rank BlockRank(Thread& t, Shared& counts, bool flag) {
  const uint32_t raised = t.Ballot(flag);
  if (t.lane() == 0) counts.Set(t.warp(), t.Ones(raised));
  t.Barrier();
  Rank rank;
  for (int warp = 0; t.Below(warp, t.threads() / kWarp); ++warp) {
    const int count = counts.Get(warp);
    if (warp < t.warp()) rank.before += count;
    rank.total += count;
  }
  rank.before += t.Ones(raised & ((1u << t.lane()) - 1));
  t.Barrier();
  return rank;
}

}  // namespace kwta::cuda
