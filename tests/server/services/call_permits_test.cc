#include "server/services/call_permits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kwta::server {
namespace {

TEST(CallPermitsTest, RefusesAboveTheLimitAndTakesPermitsBack) {
  CallPermits permits(1);
  {
    absl::StatusOr<CallPermits::Permit> first = permits.Take("a");
    ASSERT_TRUE(first.ok());
    const CallPermits::Permit moved = *std::move(first);
    const absl::Status refused = permits.Take("a").status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("1 calls already (--max-concurrent-calls)"));
  }
  EXPECT_TRUE(permits.Take("a").ok());
}

TEST(CallPermitsTest, OneCallerDoesNotShutOutTheOthers) {
  CallPermits permits(16);
  std::vector<CallPermits::Permit> taken;
  const auto take = [&](const std::string& caller) {
    absl::StatusOr<CallPermits::Permit> permit = permits.Take(caller);
    if (permit.ok()) taken.push_back(*std::move(permit));
    return permit.status();
  };
  for (int i = 0; i < 14; ++i) ASSERT_TRUE(take("greedy").ok()) << i;
  const absl::Status refused = take("greedy");
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("14 calls of this caller"));
  EXPECT_TRUE(take("modest").ok());
  EXPECT_EQ(take("greedy").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(take("another").ok());
  EXPECT_THAT(std::string(take("modest").message()), ::testing::HasSubstr("16 calls already"));
  taken.clear();
  EXPECT_TRUE(permits.WaitUntilIdle(absl::InfinitePast()));
}

}  // namespace
}  // namespace kwta::server
