#include "server/retry_after.h"

#include <gtest/gtest.h>

namespace kwta::server {
namespace {

TEST(RetryAfterTest, TravelsWithTheStatus) {
  const absl::Status status = WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(250));
  EXPECT_EQ(status.message(), "full");
  EXPECT_EQ(RetryAfter(status), absl::Milliseconds(250));
  EXPECT_EQ(RetryAfter(absl::ResourceExhaustedError("full")), std::nullopt);
}

}  // namespace
}  // namespace kwta::server
