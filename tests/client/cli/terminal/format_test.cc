#include "client/cli/terminal/format.h"

#include <gtest/gtest.h>

namespace kwta::client::cli {
namespace {

TEST(HumanCount, GroupsThousands) {
  EXPECT_EQ(HumanCount(0), "0");
  EXPECT_EQ(HumanCount(999), "999");
  EXPECT_EQ(HumanCount(1000), "1,000");
  EXPECT_EQ(HumanCount(60000), "60,000");
  EXPECT_EQ(HumanCount(1234567), "1,234,567");
}

TEST(HumanBytes, TakesTheLargestUnitThatFits) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes((1 << 20) - 1), "1.0 MiB");
  EXPECT_EQ(HumanBytes(64 << 20), "64.0 MiB");
  EXPECT_EQ(HumanBytes(~uint64_t{0}), "16.0 EiB");
}

TEST(HumanDuration, TakesTwoUnits) {
  EXPECT_EQ(HumanDuration(-absl::Seconds(3)), "0.0 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(420)), "0.4 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(12)), "12 s");
  EXPECT_EQ(HumanDuration(absl::Seconds(200)), "3 min 20 s");
  EXPECT_EQ(HumanDuration(absl::Minutes(125)), "2 h 05 min");
  EXPECT_EQ(HumanDuration(absl::Hours(76)), "3 d 04 h");
}

TEST(HumanDuration, RoundsUpIntoTheNextUnit) {
  EXPECT_EQ(HumanDuration(absl::Milliseconds(9960)), "10 s");
  EXPECT_EQ(HumanDuration(absl::Milliseconds(59700)), "1 min 00 s");
}

TEST(HumanRate, DropsDecimalsOfLargeRates) {
  EXPECT_EQ(HumanRate(0.25), "0.2");
  EXPECT_EQ(HumanRate(9.96), "10");
  EXPECT_EQ(HumanRate(18249.6), "18,250");
}

TEST(Percent, HasTwoDecimals) { EXPECT_EQ(Percent(0.1215), "12.15%"); }

TEST(Decimals, AreFourUntilANumberIsTooLongForThem) {
  EXPECT_EQ(Decimals(0.37124), "0.3712");
  EXPECT_EQ(Decimals(-0.5), "-0.5000");
  EXPECT_EQ(Decimals(9999.99), "9999.9900");
  EXPECT_EQ(Decimals(2.26120e58), "2.261e+58");
}

TEST(ToTime, KeepsNanoseconds) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(100);
  timestamp.set_nanos(7);
  EXPECT_EQ(ToTime(timestamp) - absl::UnixEpoch(), absl::Seconds(100) + absl::Nanoseconds(7));
}

}  // namespace
}  // namespace kwta::client::cli
