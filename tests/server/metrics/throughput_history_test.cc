#include "server/metrics/throughput_history.h"

#include <gtest/gtest.h>

namespace kwta::server {
namespace {

SteadyTime OfHistory(double seconds) { return SteadyTime::At(absl::Seconds(1000 + seconds)); }

TEST(ThroughputHistoryTest, ShowsTheLastWholeSeconds) {
  ThroughputHistory history(OfHistory(0));
  history.Add(5, OfHistory(0.1));
  history.Add(6, OfHistory(0.9));
  history.Add(7, OfHistory(2.5));
  EXPECT_EQ(history.RowsBySecond(OfHistory(0.95)).back(), 0u) << "the second is not over";
  const std::vector<uint64_t> rows = history.RowsBySecond(OfHistory(3.2));
  ASSERT_EQ(rows.size(), static_cast<size_t>(ThroughputHistory::kSeconds));
  EXPECT_EQ(rows[rows.size() - 1], 7u);
  EXPECT_EQ(rows[rows.size() - 2], 0u);
  EXPECT_EQ(rows[rows.size() - 3], 11u);
  EXPECT_EQ(rows.front(), 0u);
}

TEST(ThroughputHistoryTest, ForgetsWhatIsTooOld) {
  ThroughputHistory history(OfHistory(0));
  history.Add(5, OfHistory(0));
  EXPECT_EQ(history.RowsBySecond(OfHistory(ThroughputHistory::kSeconds)).front(), 5u);
  for (const uint64_t rows : history.RowsBySecond(OfHistory(ThroughputHistory::kSeconds + 1))) EXPECT_EQ(rows, 0u);
  history.Add(9, OfHistory(ThroughputHistory::kSeconds + 1));  // in the place of the first second
  EXPECT_EQ(history.RowsBySecond(OfHistory(ThroughputHistory::kSeconds + 2)).back(), 9u);
}

}  // namespace
}  // namespace kwta::server
