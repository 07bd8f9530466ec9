// Counts durations, finely enough for tails.
#pragma once

#include <array>
#include <cstdint>

#include "absl/time/time.h"

namespace kwta::client {

// Counts durations from 0 to about 20 minutes in buckets at most 1/64 as wide as their durations; longer ones count as
// the longest. Not thread-safe.
class LatencyHistogram {
 public:
  void Add(absl::Duration duration);
  void Merge(const LatencyHistogram& other);

  int64_t count() const { return count_; }
  absl::Duration max() const { return max_; }
  // REQUIRES: count() > 0.
  absl::Duration mean() const { return sum_ / count_; }
  // Returns the upper end of the bucket that holds the given quantile (0 .. 1), at most max(). REQUIRES: count() > 0.
  absl::Duration Quantile(double part) const;
  // Counts durations above `from` and not above `to`, to the precision of the buckets.
  int64_t CountBetween(absl::Duration from, absl::Duration to) const;

 private:
  static constexpr int kStepBits = 6;  // buckets per octave: 64
  static constexpr int kOctaves = 35;  // above the first 64 ns, up to 2^41 ns
  static constexpr int kBuckets = (kOctaves + 1) << kStepBits;

  static int BucketOf(absl::Duration duration);
  static absl::Duration UpperEnd(int bucket);

  std::array<int64_t, kBuckets> buckets_{};
  int64_t count_ = 0;
  absl::Duration sum_;
  absl::Duration max_;
};

}  // namespace kwta::client
