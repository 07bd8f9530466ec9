#include "server/edge/connection_limits.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace kwta::server {
namespace {

SteadyTime At(int64_t milliseconds) { return SteadyTime::At(absl::Milliseconds(milliseconds)); }

TEST(ConnectionLimitsTest, EachHostHasALimitAndAllHaveOne) {
  ConnectionLimits limits(3, 2);
  EXPECT_EQ(limits.Add("a"), std::nullopt);
  EXPECT_EQ(limits.Add("a"), std::nullopt);
  EXPECT_EQ(limits.Add("a"), ConnectionRefusal::kHost);
  EXPECT_FALSE(limits.full());
  EXPECT_EQ(limits.Add("b"), std::nullopt);
  EXPECT_TRUE(limits.full());
  EXPECT_EQ(limits.Add("c"), ConnectionRefusal::kTotal);
  limits.Remove("a");
  EXPECT_EQ(limits.open(), 2);
  EXPECT_EQ(limits.Add("c"), std::nullopt);
  limits.Remove("nobody");
  EXPECT_EQ(limits.open(), 3);
}

TEST(ConnectionLimitsTest, ConnectionsOfAnOffenderStartApart) {
  ConnectionLimits limits(100, 100);
  EXPECT_EQ(limits.NextStart("a", At(0)), At(0));
  limits.Offended("a", At(0));
  EXPECT_EQ(limits.NextStart("a", At(1)), At(1));
  EXPECT_EQ(limits.NextStart("a", At(2)), At(1) + ConnectionLimits::kGap);
  EXPECT_EQ(limits.NextStart("a", At(2)), At(1) + 2 * ConnectionLimits::kGap);
  EXPECT_EQ(limits.NextStart("b", At(2)), At(2));
  EXPECT_EQ(limits.NextStart("a", At(5000)), At(5000));
}

TEST(ConnectionLimitsTest, OffencesAreForgotten) {
  ConnectionLimits limits(100, 100);
  limits.Offended("a", At(0));
  EXPECT_TRUE(limits.IsOffender("a", At(1)));
  EXPECT_FALSE(limits.IsOffender("b", At(1)));
  limits.Offended("a", At(20'000));
  EXPECT_TRUE(limits.IsOffender("a", At(40'000)));
  EXPECT_FALSE(limits.IsOffender("a", At(50'000)));
  EXPECT_EQ(limits.NextStart("a", At(50'000)), At(50'000));
  EXPECT_EQ(limits.NextStart("a", At(50'000)), At(50'000));
}

TEST(ConnectionLimitsTest, OffendersWithoutNumberTakeBoundedMemory) {
  ConnectionLimits limits(1, 1);
  for (int i = 0; i < 30'000; ++i) limits.Offended(std::to_string(i), At(i / 100));
  EXPECT_TRUE(limits.IsOffender("29999", At(300)));
  int remembered = 0;
  for (int i = 0; i < 30'000; ++i) remembered += limits.IsOffender(std::to_string(i), At(300)) ? 1 : 0;
  EXPECT_EQ(remembered, 10'000);
}

TEST(ConnectionLimitsTest, TheServersOwnFilesHaveDescriptorsLeft) {
  EXPECT_EQ(HttpConnectionsFor(20'000), 1024);
  EXPECT_EQ(ConnectionsFor(20'000, 1024), 20'000 - 1024 - 64);
  EXPECT_EQ(HttpConnectionsFor(200), 50);
  EXPECT_EQ(ConnectionsFor(200, 50), 86);
  EXPECT_EQ(ConnectionsFor(64, 16), 1);
  EXPECT_EQ(ConnectionsFor(uint64_t{1} << 40, 1024), 1'000'000);  // no limit on descriptors
}

}  // namespace
}  // namespace kwta::server
