#include "server/metrics/bucket_counts.h"

#include <limits>

namespace kwta::server {

void BucketCounts::Add(absl::Span<const uint64_t> counts, double sum) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) counts_[i].fetch_add(counts[i], std::memory_order_relaxed);
  }
  AddToSum(sum);
}

prometheus::ClientMetric::Histogram BucketCounts::Snapshot() const {
  prometheus::ClientMetric::Histogram histogram;
  histogram.bucket.reserve(buckets());
  for (size_t i = 0; i < buckets(); ++i) {
    histogram.sample_count += counts_[i].load(std::memory_order_relaxed);
    const double bound = i < bounds_.size() ? bounds_[i] : std::numeric_limits<double>::infinity();
    histogram.bucket.push_back({histogram.sample_count, bound});
  }
  histogram.sample_sum = sum_.load(std::memory_order_relaxed);
  return histogram;
}

}  // namespace kwta::server
