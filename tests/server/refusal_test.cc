#include "server/refusal.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "server/retry_after.h"

namespace kwta::server {
namespace {

TEST(RefusalTest, IsTheReasonAttachedOrElseWhatTheCodeImplies) {
  const absl::Status full = absl::ResourceExhaustedError("the queue is full");
  EXPECT_EQ(RefusalOf(full), std::nullopt);
  const absl::Status refused = WithRetryAfter(Refused(Refusal::kQueueRows, full), absl::Seconds(1));
  EXPECT_EQ(RefusalOf(refused), Refusal::kQueueRows);
  EXPECT_EQ(RetryAfter(refused), absl::Seconds(1));
  EXPECT_EQ(refused.message(), full.message());
  EXPECT_EQ(RefusalOf(absl::UnauthenticatedError("no token")), Refusal::kUnauthenticated);
  EXPECT_EQ(RefusalOf(absl::DeadlineExceededError("late")), Refusal::kDeadlinePassed);
  EXPECT_EQ(RefusalOf(Refused(Refusal::kDeadlineUnreachable, absl::DeadlineExceededError("will be late"))),
            Refusal::kDeadlineUnreachable);
  EXPECT_EQ(RefusalOf(absl::OkStatus()), std::nullopt);
  EXPECT_EQ(RefusalOf(absl::InternalError("broken")), std::nullopt) << "an error of the server refuses nothing";
}

TEST(RefusalTest, EachHasAName) {
  std::set<std::string> names;
  for (size_t i = 0; i < kRefusals; ++i) names.insert(RefusalName(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), kRefusals);
  EXPECT_EQ(names.count("unknown"), 0u);
}

}  // namespace
}  // namespace kwta::server
