#include "server/services/open_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/retry_after.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

TEST(OpenCallsTest, LimitsAHostAndAll) {
  OpenCalls calls({"watchers", 3, 2, "--max-watchers"});
  std::vector<OpenCalls::Place> places;
  const auto take = [&](const std::string& host) {
    absl::StatusOr<OpenCalls::Place> place = calls.Take(host);
    if (place.ok()) places.push_back(*std::move(place));
    return place.status();
  };
  EXPECT_TRUE(take("a").ok());
  EXPECT_TRUE(take("a").ok());
  const absl::Status own = take("a");
  EXPECT_EQ(own.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(own.message()), HasSubstr("2 watchers of this host"));
  EXPECT_THAT(std::string(own.message()), HasSubstr("--max-watchers"));
  EXPECT_TRUE(RetryAfter(own).has_value());
  EXPECT_TRUE(take("b").ok());
  const absl::Status all = take("c");
  EXPECT_EQ(all.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(all.message()), HasSubstr("has 3 watchers already"));
  EXPECT_EQ(calls.open(), 3);
  places.pop_back();
  EXPECT_EQ(calls.open(), 2);
  EXPECT_TRUE(take("c").ok()) << "a place that was given back";
}

}  // namespace
}  // namespace kwta::server
