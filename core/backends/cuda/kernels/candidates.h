// The search for the k largest of many scores that come in pieces, and its results.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/backends/cuda/kernels/bounds.h"
#include "core/backends/cuda/kernels/global.h"
#include "core/backends/cuda/kernels/kernel_list.h"
#include "core/backends/cuda/kernels/keys.h"

namespace kwta::cuda {

// The candidates of each row, by ascending unit. A row whose candidates found no room has a count of -1.
struct Candidates {
  Global<uint64_t> keys;        // [rows, capacity]: of exact scores, or of lower bounds
  Global<float> uppers;         // [rows, capacity]: upper bounds; none if the scores are exact
  Global<int32_t> counts;       // [rows]
  Global<uint64_t> thresholds;  // [rows]: a key below which none is among the k largest
  int64_t rows = 0, capacity = 0;
};

// Adds a piece of the scores of each row, one block a row, and keeps those that may be among the k largest. Exactly the
// k largest remain if the scores are exact. A piece of no units only drops candidates.
struct FoldKernel {
  static constexpr KernelId kId = KernelId::kFold;
  static constexpr const char* kName = "fold";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Candidates candidates;
    int64_t k = 0;
    Global<const float> scores;  // [rows, stride]
    int64_t stride = 0;
    int64_t first = 0, units = 0;
    int64_t room = 0;                             // for candidates that are kept: the capacity less the largest piece
    Global<const int32_t> unit_count, row_count;  // or none: as in ExactScoresKernel
    // Rows of winners: row s holds units s % scopes * units and on, and only scores above zero count. 0: none.
    int64_t scopes = 0;
    // If uppers are kept, scores are products in bfloat16, without bias.
    Global<const float> bias, atom_lengths, row_lengths;
    float error_factor = 0;
  };
  static int64_t SharedBytes(const Args&, int) { return kLargestElements * 4 + kWarp * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const Candidates& found = a.candidates;
    const int64_t row = t.block();
    if (!IsNull(a.row_count) && !t.Below(row, t.Load(a.row_count, 0))) return;
    int count = t.Load(found.counts, row);
    uint64_t threshold = t.Load(found.thresholds, row);
    t.Barrier();  // one thread writes both in the end
    if (count < 0) return;
    auto shared = t.template Shared<int>(kLargestElements);
    auto ranks = t.template Shared<int>(kWarp);
    const int64_t keys = row * found.capacity;
    int64_t units = a.units;
    if (!IsNull(a.unit_count)) {
      const int64_t listed = t.Load(a.unit_count, 0) - a.first;
      if (listed < units) units = listed < 0 ? 0 : listed;
    }
    // Of the first piece only those that may stay go in.
    const bool first = threshold == 0 && a.scopes == 0 && count == 0 && units > a.k;
    if (first) {
      const auto key_of = [&](int j) { return CandidateOf(t, a, row, j, 0).key; };
      threshold = LargestKeys(t, shared, key_of, static_cast<int>(units), static_cast<int>(a.k));
      if (t.thread() == 0) t.Store(found.thresholds, row, threshold);
    }
    for (int64_t begin = 0; t.Below(begin, units); begin += kEach * t.threads()) {
      Candidate candidates[kEach];
      bool any = false;
      for (int e = 0; e < kEach; ++e) {
        const int64_t j = begin + e * t.threads() + t.thread();
        if (t.Below(j, units)) candidates[e] = CandidateOf(t, a, row, j, threshold);
        any |= candidates[e].add;
      }
      if (!t.AnyBarrier(any)) continue;
      for (int e = 0; e < kEach; ++e) {
        const Rank rank = BlockRank(t, ranks, candidates[e].add);
        if (candidates[e].add) Keep(t, found, keys + count + rank.before, candidates[e]);
        count += rank.total;
      }
    }
    if (!first && count > a.k) {
      // LargestKeys reads the keys after a barrier of its own.
      const auto key_of = [&](int i) { return t.Load(found.keys, keys + i); };
      const uint64_t least = LargestKeys(t, shared, key_of, count, static_cast<int>(a.k));
      count = Drop(t, ranks, found, keys, count, least);
      if (t.thread() == 0) t.Store(found.thresholds, row, least);
    }
    if (t.thread() == 0) t.Store(found.counts, row, count > a.room ? -1 : count);
  }

 private:
  static constexpr int kEach = 4;  // units that a thread takes between barriers
  struct Candidate {
    uint64_t key = 0;
    float upper = 0;
    bool add = false;
  };

  template <typename Thread>
  static KWTA_HOST_DEVICE Candidate CandidateOf(Thread& t, const Args& a, int64_t row, int64_t j, uint64_t threshold) {
    Candidate candidate;
    const float score = t.Load(a.scores, row * a.stride + j);
    if (IsNull(a.candidates.uppers)) {
      candidate.key = KeyOf(OrderedScore(score), a.scopes == 0 ? a.first + j : row % a.scopes * a.units + j);
      candidate.add = candidate.key >= threshold && (a.scopes == 0 || score > 0);
      return candidate;
    }
    const ScoreRange range =
        RangeOfScore(score, t.Load(a.bias, a.first + j),
                     t.Load(a.row_lengths, row) * t.Load(a.atom_lengths, a.first + j), a.error_factor);
    // A score without bounds may go first, and may go last.
    candidate.key = KeyOf(range.bounded ? OrderedScore(range.lower) : 0, a.first + j);
    candidate.upper = range.bounded ? range.upper : ScoreOf(0xFF800000u);
    candidate.add = OrderedScore(candidate.upper) >= OrderedOf(threshold);
    return candidate;
  }
  template <typename Thread>
  static KWTA_HOST_DEVICE void Keep(Thread& t, const Candidates& found, int64_t at, const Candidate& candidate) {
    t.Store(found.keys, at, candidate.key);
    if (!IsNull(found.uppers)) t.Store(found.uppers, at, candidate.upper);
  }

  // Keeps those that may be among the k largest, in their order. Returns how many.
  template <typename Thread, typename Shared>
  static KWTA_HOST_DEVICE int Drop(Thread& t, Shared& ranks, const Candidates& found, int64_t keys, int count,
                                   uint64_t least) {
    const bool bounds = !IsNull(found.uppers);
    int kept = 0;
    for (int begin = 0; t.Below(begin, count); begin += t.threads()) {
      const int i = begin + t.thread();
      uint64_t key = 0;
      float upper = 0;
      bool keep = false;
      if (t.Below(i, count)) {
        key = t.Load(found.keys, keys + i);
        if (bounds) upper = t.Load(found.uppers, keys + i);
        keep = bounds ? OrderedScore(upper) >= OrderedOf(least) : key >= least;
      }
      const Rank rank = BlockRank(t, ranks, keep);  // its barrier ends the reads of this round
      if (keep) {
        t.Store(found.keys, keys + kept + rank.before, key);
        if (bounds) t.Store(found.uppers, keys + kept + rank.before, upper);
      }
      kept += rank.total;
    }
    return kept;
  }
};

// Writes each row's candidates, which are its k largest, as codes. Fewer than k: the rest is -1 and 0. Skips rows whose
// count is below 0.
struct WriteCodesKernel {
  static constexpr KernelId kId = KernelId::kWriteCodes;
  static constexpr const char* kName = "write_codes";
  static constexpr int kMaxThreads = 128;

  struct Args {
    Candidates candidates;
    int64_t k = 0;
    Global<const int32_t> row_list, row_count;  // or none: as in ExactScoresKernel
    Global<const int32_t> unit_list;            // or none: as in ExactScoresKernel
    Global<int32_t> indices;                    // [rows of the batch, k]
    Global<float> values;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t slot = t.block();
    if (!IsNull(a.row_count) && !t.Below(slot, t.Load(a.row_count, 0))) return;
    const int count = t.Load(a.candidates.counts, slot);
    if (count < 0) return;
    const int64_t row = IsNull(a.row_list) ? slot : t.Load(a.row_list, slot);
    for (int64_t j = t.thread(); t.Below(j, a.k); j += t.threads()) {
      const uint64_t key = t.Below(j, count) ? t.Load(a.candidates.keys, slot * a.candidates.capacity + j) : 0;
      int32_t unit = t.Below(j, count) ? UnitOf(key) : -1;
      if (unit >= 0 && !IsNull(a.unit_list)) unit = t.Load(a.unit_list, unit);
      t.Store(a.indices, row * a.k + j, unit);
      t.Store(a.values, row * a.k + j, t.Below(j, count) ? ScoreOf(OrderedOf(key)) : 0.0f);
    }
  }
};

// Lists those of `size` numbers that are at least `least` (or, if `below`, less), ascending: one block.
struct ListKernel {
  static constexpr KernelId kId = KernelId::kList;
  static constexpr const char* kName = "list";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const int32_t> small;  // either these
    Global<const int64_t> large;  // or these
    int64_t size = 0, least = 0;
    bool below = false;
    Global<int32_t> list, count;  // out [size], [1]
  };
  static int64_t SharedBytes(const Args&, int) { return kWarp * 4; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto ranks = t.template Shared<int>(kWarp);
    int count = 0;
    for (int64_t begin = 0; t.Below(begin, a.size); begin += t.threads()) {
      const int64_t i = begin + t.thread();
      bool in = false;
      if (t.Below(i, a.size)) {
        const int64_t value = IsNull(a.large) ? t.Load(a.small, i) : t.Load(a.large, i);
        in = (value >= a.least) != a.below;
      }
      const Rank rank = BlockRank(t, ranks, in);
      if (in) t.Store(a.list, count + rank.before, static_cast<int32_t>(i));
      count += rank.total;
    }
    if (t.thread() == 0) t.Store(a.count, 0, static_cast<int32_t>(count));
  }
};

// Makes rows ready for products in bfloat16: their copies, rounded to nearest, and their lengths, rounded up. A block a
// row.
struct RoundRowsKernel {
  static constexpr KernelId kId = KernelId::kRoundRows;
  static constexpr const char* kName = "round_rows";
  static constexpr int kMaxThreads = 128;

  struct Args {
    Global<const float> x;  // [rows, width]
    int64_t width = 0, stride = 0;
    float root_of_width = 0;   // rounded up
    Global<uint16_t> rounded;  // out [rows, stride], with zeros beyond the width
    Global<float> lengths;     // out [rows]
  };
  static int64_t SharedBytes(const Args&, int) { return kSumBytes; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    auto sums = t.template Shared<float>(kWarp);
    float squares = 0;
    for (int64_t d = t.thread(); t.Below(d, a.stride); d += t.threads()) {
      const float value = t.Below(d, a.width) ? t.Load(a.x, t.block() * a.width + d) : 0.0f;
      t.Store(a.rounded, t.block() * a.stride + d, Rounded(value));
      squares += value * value;
    }
    squares = BlockSum(t, sums, squares);
    if (t.thread() == 0) t.Store(a.lengths, t.block(), LengthBound(sqrtf(squares), a.width, a.root_of_width));
  }

 private:
  static KWTA_HOST_DEVICE uint16_t Rounded(float value) {
    uint32_t bits = 0;
    memcpy(&bits, &value, sizeof(bits));
    if (value != value) return 0x7FC0;
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
  }
};

// x = float(byte) / divisor, rounded once.
struct FromBytesKernel {
  static constexpr KernelId kId = KernelId::kFromBytes;
  static constexpr const char* kName = "from_bytes";
  static constexpr int kMaxThreads = 256;

  struct Args {
    Global<const uint8_t> bytes;
    float divisor = 1;
    Global<float> x;
  };
  static int64_t SharedBytes(const Args&, int) { return 0; }

  template <typename Thread>
  static KWTA_HOST_DEVICE void Run(Thread& t, const Args& a) {
    const int64_t i = t.block() * t.threads() + t.thread();
    if (t.Below(i, a.x.size)) t.Store(a.x, i, static_cast<float>(t.Load(a.bytes, i)) / a.divisor);
  }
};

}  // namespace kwta::cuda
