#include "client/retry.h"

#include <gtest/gtest.h>

#include <vector>

namespace kwta::client {
namespace {

// A clock that advances only by sleeping.
struct FakeTime {
  absl::Time now = absl::UnixEpoch();
  std::vector<absl::Duration> pauses;
  Clock clock() {
    return {[this] { return now; },
            [this](absl::Duration pause) {
              pauses.push_back(pause);
              now += pause;
            }};
  }
};

TEST(RetryUnavailable, TriesAgainUntilItSucceeds) {
  FakeTime time;
  int calls = 0;
  const absl::Status status = RetryUnavailable({5}, absl::InfiniteFuture(), time.clock(), [&] {
    return ++calls < 3 ? absl::UnavailableError("not yet") : absl::OkStatus();
  });
  EXPECT_EQ(status, absl::OkStatus());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(time.pauses.size(), 2u);
}

TEST(RetryUnavailable, StopsWhenTheAttemptsAreUsedUp) {
  FakeTime time;
  int calls = 0;
  const absl::Status status = RetryUnavailable({4}, absl::InfiniteFuture(), time.clock(), [&] {
    return absl::UnavailableError(++calls == 4 ? "the last" : "an earlier one");
  });
  EXPECT_EQ(status, absl::UnavailableError("the last"));
  EXPECT_EQ(calls, 4);
}

class EveryOtherCode : public testing::TestWithParam<int> {};

TEST_P(EveryOtherCode, IsNotRetried) {
  const auto code = static_cast<absl::StatusCode>(GetParam());
  FakeTime time;
  int calls = 0;
  const absl::Status status = RetryUnavailable({5}, absl::InfiniteFuture(), time.clock(), [&] {
    ++calls;
    return absl::Status(code, "once");
  });
  EXPECT_EQ(status.code(), code);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(time.pauses.empty());
}

// All but UNAVAILABLE, 14.
INSTANTIATE_TEST_SUITE_P(Codes, EveryOtherCode, testing::Values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16));

TEST(RetryUnavailable, NeverSleepsPastTheDeadline) {
  FakeTime time;
  const absl::Time deadline = time.now + absl::Seconds(3);
  RetryOptions options{1000, absl::Milliseconds(500), absl::Seconds(1)};
  int calls = 0;
  const absl::Status status = RetryUnavailable(options, deadline, time.clock(), [&] {
    ++calls;
    return absl::UnavailableError("down");
  });
  EXPECT_EQ(status, absl::UnavailableError("down"));
  EXPECT_LT(time.now, deadline);
  EXPECT_GE(time.now, deadline - absl::Seconds(1));
  EXPECT_GT(calls, 3);
}

TEST(Backoff, DoublesWithJitterUpToTheMaximum) {
  Backoff backoff({100, absl::Milliseconds(100), absl::Milliseconds(800)});
  for (const int longest_ms : {100, 200, 400, 800, 800, 800}) {
    const absl::Duration pause = backoff.Next();
    EXPECT_GE(pause, absl::Milliseconds(longest_ms) / 2);
    EXPECT_LE(pause, absl::Milliseconds(longest_ms));
  }
  EXPECT_EQ(backoff.pauses(), 6);
  backoff.Reset();
  EXPECT_LE(backoff.Next(), absl::Milliseconds(100));
}

TEST(Backoff, DoesNotOverflowAfterManyPauses) {
  Backoff backoff({1000, absl::Milliseconds(100), absl::Seconds(2)});
  for (int i = 0; i < 200; ++i) EXPECT_LE(backoff.Next(), absl::Seconds(2));
  EXPECT_GE(backoff.Next(), absl::Seconds(1));
}

TEST(Backoff, DiffersBetweenClients) {
  Backoff one({}), other({});
  EXPECT_NE(one.Next(), other.Next());
}

}  // namespace
}  // namespace kwta::client
