#include "server/services/call_permits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

namespace kwta::server {
namespace {

TEST(CallPermitsTest, RefusesAboveTheLimitAndTakesPermitsBack) {
  CallPermits permits(1);
  {
    absl::StatusOr<CallPermits::Permit> first = permits.Take();
    ASSERT_TRUE(first.ok());
    const CallPermits::Permit moved = *std::move(first);
    const absl::Status refused = permits.Take().status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(refused.message()), ::testing::HasSubstr("1 calls already (--max-concurrent-calls)"));
  }
  EXPECT_TRUE(permits.Take().ok());
}

}  // namespace
}  // namespace kwta::server
