#include "server/metrics/bucket_counts.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <thread>
#include <vector>

namespace kwta::server {
namespace {

constexpr std::array<double, 3> kBounds = {1, 2, 4};

TEST(BucketCountsTest, ABoundBelongsToItsBucket) {
  BucketCounts counts(kBounds);
  for (const double value : {0.5, 1.0, 1.5, 4.0, 5.0}) counts.Observe(value);
  const auto histogram = counts.Snapshot();
  EXPECT_EQ(histogram.sample_count, 5u);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 12);
  ASSERT_EQ(histogram.bucket.size(), 4u);
  EXPECT_EQ(histogram.bucket[0].cumulative_count, 2u);
  EXPECT_EQ(histogram.bucket[1].cumulative_count, 3u);
  EXPECT_EQ(histogram.bucket[2].cumulative_count, 4u);
  EXPECT_EQ(histogram.bucket[3].cumulative_count, 5u);
  EXPECT_EQ(histogram.bucket[3].upper_bound, std::numeric_limits<double>::infinity());
}

TEST(BucketCountsTest, TakesCountsThatWereMadeElsewhere) {
  BucketCounts counts(kBounds);
  counts.Add({1, 0, 2, 3}, 30);
  counts.Observe(3);
  const auto histogram = counts.Snapshot();
  EXPECT_EQ(histogram.sample_count, 7u);
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 33);
  EXPECT_EQ(histogram.bucket[2].cumulative_count, 4u);
}

TEST(BucketCountsTest, LosesNothingBetweenThreads) {
  constexpr int kThreads = 4, kEach = 20000;
  BucketCounts counts(kBounds);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counts, i] {
      for (int n = 0; n < kEach; ++n) counts.Observe(i + 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto histogram = counts.Snapshot();
  EXPECT_EQ(histogram.sample_count, uint64_t{kThreads * kEach});
  EXPECT_DOUBLE_EQ(histogram.sample_sum, 10.0 * kEach);
  EXPECT_EQ(histogram.bucket[0].cumulative_count, uint64_t{kEach});
}

}  // namespace
}  // namespace kwta::server
