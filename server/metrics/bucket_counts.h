// A histogram that many threads may fill at once.
#pragma once

#include <prometheus/client_metric.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"

namespace kwta::server {

// Counts observations in buckets. Thread-safe. Observing takes no lock, because several threads record each request:
// prometheus::Histogram takes a mutex.
class BucketCounts {
 public:
  // `bounds` are the ascending upper bounds of the buckets, except that of the last one, which has none. They must
  // outlive this.
  explicit BucketCounts(absl::Span<const double> bounds)
      : bounds_(bounds), counts_(std::make_unique<std::atomic<uint64_t>[]>(bounds.size() + 1)) {}

  void Observe(double value) {
    counts_[BucketOf(value)].fetch_add(1, std::memory_order_relaxed);
    AddToSum(value);
  }
  // Adds counts[i] observations to bucket i and `sum` to the sum. REQUIRES: one count for each bucket.
  void Add(absl::Span<const uint64_t> counts, double sum);

  size_t BucketOf(double value) const {
    size_t bucket = 0;
    while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
    return bucket;
  }
  size_t buckets() const { return bounds_.size() + 1; }

  prometheus::ClientMetric::Histogram Snapshot() const;

 private:
  void AddToSum(double value) {
    double sum = sum_.load(std::memory_order_relaxed);
    while (!sum_.compare_exchange_weak(sum, sum + value, std::memory_order_relaxed)) {
    }
  }

  const absl::Span<const double> bounds_;
  const std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace kwta::server
