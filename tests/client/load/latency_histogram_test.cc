#include "client/load/latency_histogram.h"

#include "gtest/gtest.h"

namespace kwta::client {
namespace {

TEST(LatencyHistogram, QuantilesAreWithinASixtyFourth) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 100'000; ++i) histogram.Add(absl::Microseconds(i));
  EXPECT_EQ(histogram.count(), 100'000);
  for (const double part : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = part * 100'000;
    EXPECT_GE(absl::ToDoubleMicroseconds(histogram.Quantile(part)), exact) << part;
    EXPECT_LE(absl::ToDoubleMicroseconds(histogram.Quantile(part)), exact * (1 + 1.0 / 64)) << part;
  }
  EXPECT_EQ(histogram.Quantile(1), absl::Milliseconds(100));
  EXPECT_EQ(histogram.mean(), absl::Nanoseconds(50'000'500));
}

TEST(LatencyHistogram, ExtremesAreCounted) {
  LatencyHistogram histogram;
  histogram.Add(absl::ZeroDuration());
  histogram.Add(absl::Nanoseconds(63));
  histogram.Add(absl::Hours(2));  // beyond the last bucket
  EXPECT_EQ(histogram.Quantile(0.01), absl::ZeroDuration());
  EXPECT_EQ(histogram.Quantile(0.5), absl::Nanoseconds(63));
  EXPECT_EQ(histogram.Quantile(1), absl::Hours(2));
  EXPECT_EQ(histogram.max(), absl::Hours(2));
}

TEST(LatencyHistogram, MergingIsAddingAll) {
  LatencyHistogram one, other, both;
  for (int i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? one : other).Add(absl::Microseconds(i * i));
    both.Add(absl::Microseconds(i * i));
  }
  one.Merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.mean(), both.mean());
  for (const double part : {0.1, 0.5, 0.99, 1.0}) EXPECT_EQ(one.Quantile(part), both.Quantile(part));
}

TEST(LatencyHistogram, CountsBetweenCoverEverythingOnce) {
  LatencyHistogram histogram;
  for (int i = 1; i <= 5000; ++i) histogram.Add(absl::Microseconds(i));
  int64_t total = 0;
  absl::Duration from;
  for (absl::Duration to = absl::Microseconds(32); from < absl::Seconds(1); from = to, to *= 2) {
    total += histogram.CountBetween(from, to);
  }
  EXPECT_EQ(total, 5000);
}

}  // namespace
}  // namespace kwta::client
