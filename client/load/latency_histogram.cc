#include "client/load/latency_histogram.h"

#include <algorithm>
#include <cmath>

namespace kwta::client {

int LatencyHistogram::BucketOf(absl::Duration duration) {
  const uint64_t ns = static_cast<uint64_t>(std::max<int64_t>(absl::ToInt64Nanoseconds(duration), 0));
  constexpr uint64_t kSteps = uint64_t{1} << kStepBits;
  if (ns < kSteps) return static_cast<int>(ns);
  // The highest bit gives the octave, the kStepBits bits below it the step.
  const int octave = 63 - __builtin_clzll(ns) - kStepBits;
  const int bucket = static_cast<int>(((octave + 1) << kStepBits) + ((ns >> octave) & (kSteps - 1)));
  return std::min(bucket, kBuckets - 1);
}

absl::Duration LatencyHistogram::UpperEnd(int bucket) {
  constexpr int kSteps = 1 << kStepBits;
  if (bucket < kSteps) return absl::Nanoseconds(bucket);
  const int octave = (bucket >> kStepBits) - 1;
  const int64_t step = kSteps + (bucket & (kSteps - 1));
  return absl::Nanoseconds(((step + 1) << octave) - 1);
}

void LatencyHistogram::Add(absl::Duration duration) {
  ++buckets_[BucketOf(duration)];
  ++count_;
  sum_ += duration;
  max_ = std::max(max_, duration);
}

void LatencyHistogram::Merge(const LatencyHistogram& other) {
  for (int bucket = 0; bucket < kBuckets; ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

absl::Duration LatencyHistogram::Quantile(double part) const {
  const auto rank = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(part * static_cast<double>(count_))));
  int64_t seen = 0;
  for (int bucket = 0; bucket < kBuckets - 1; ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return std::min(UpperEnd(bucket), max_);
  }
  return max_;
}

int64_t LatencyHistogram::CountBetween(absl::Duration from, absl::Duration to) const {
  int64_t total = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    const absl::Duration end = UpperEnd(bucket);
    if (end > from && end <= to) total += buckets_[bucket];
  }
  return total;
}

}  // namespace kwta::client
