// Scores as integers in the order of core/backends/score_order.h, and the search for the k largest.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/backends/cuda/kernels/block_operations.h"
#include "core/backends/cuda/kernels/global.h"

namespace kwta::cuda {

// Larger for the score that goes first; 0 for NaN; +0 and -0 are equal.
KWTA_HOST_DEVICE inline uint32_t OrderedScore(float score) {
  if (score != score) return 0;
  if (score == 0) score = 0.0f;
  uint32_t bits = 0;
  memcpy(&bits, &score, sizeof(bits));
  return (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
}

KWTA_HOST_DEVICE inline float ScoreOf(uint32_t ordered) {
  const uint32_t bits = ordered == 0 ? 0x7FC00000u : (ordered >> 31) != 0 ? ordered & 0x7FFFFFFFu : ~ordered;
  float score = 0;
  memcpy(&score, &bits, sizeof(score));
  return score;
}

// Keys of different units differ: the largest key goes first.
KWTA_HOST_DEVICE inline uint64_t KeyOf(uint32_t ordered, int64_t unit) {
  return static_cast<uint64_t>(ordered) << 32 | static_cast<uint32_t>(~static_cast<uint32_t>(unit));
}
KWTA_HOST_DEVICE inline int32_t UnitOf(uint64_t key) { return static_cast<int32_t>(~static_cast<uint32_t>(key)); }
KWTA_HOST_DEVICE inline uint32_t OrderedOf(uint64_t key) { return static_cast<uint32_t>(key >> 32); }

constexpr int kDigits = 256;
// Shared memory of LargestKeys: a count for each digit, and what one thread tells the others.
constexpr int64_t kLargestElements = kDigits + 4;

// A number that exactly k of key_of(0) .. key_of(count - 1) are at least, found digit by digit from the highest.
// Calls key_of after a barrier only. `shared` has kLargestElements elements. REQUIRES: 1 <= k < count; the keys differ.
template <typename Thread, typename Shared, typename KeyOfIndex>
KWTA_HOST_DEVICE inline uint64_t LargestKeys(Thread& t, Shared& shared, const KeyOfIndex& key_of, int count, int k) {
  uint64_t found = 0, known = 0;
  for (int shift = 56; shift >= 0; shift -= 8) {
    for (int digit = t.thread(); t.Below(digit, kDigits); digit += t.threads()) shared.Set(digit, 0);
    t.Barrier();
    for (int i = t.thread(); t.Below(i, count); i += t.threads()) {
      const uint64_t key = key_of(i);
      if ((key & known) == found) shared.Add(static_cast<int>(key >> shift & 255), 1);
    }
    t.Barrier();
    if (t.warp() == 0) {
      // Each lane has eight digits, the highest first.
      constexpr int kEach = kDigits / kWarp;
      const int highest = kDigits - 1 - t.lane() * kEach;
      int own = 0;
      for (int d = 0; d < kEach; ++d) own += shared.Get(highest - d);
      int up_to = own;
      for (int lanes = 1; lanes < kWarp; lanes *= 2) {
        const int below = t.ShuffleUp(up_to, lanes);
        if (t.lane() >= lanes) up_to += below;
      }
      int above = up_to - own;
      if (above < k && k <= up_to) {
        int digit = highest;
        while (above + shared.Get(digit) < k) {
          above += shared.Get(digit);
          --digit;
        }
        shared.Set(kDigits, digit);
        shared.Set(kDigits + 1, k - above);
        shared.Set(kDigits + 2, shared.Get(digit));
      }
    }
    t.Barrier();
    found |= static_cast<uint64_t>(shared.Get(kDigits)) << shift;
    known |= uint64_t{255} << shift;
    k = shared.Get(kDigits + 1);
    // No barrier: who goes on waits at the next one before these three change.
    if (k == shared.Get(kDigits + 2)) break;
  }
  return found;
}

}  // namespace kwta::cuda
