// How long requests wait according to the batcher, and how long they do wait, on a clock that only tests move.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "server/batching/batcher.h"
#include "server/retry_after.h"
#include "tests/server/batching/batcher_fixture.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

class WaitingTimeTest : public BatcherTest {
 protected:
  void MakeWith(absl::Duration max_queue_time) {
    BatcherOptions options = {/*max_batch_rows=*/256, /*max_queue_rows=*/100'000, /*max_queue_bytes=*/10'000'000};
    options.max_queue_time = max_queue_time;
    options.max_batch_time = absl::Milliseconds(5);
    Make(options);
  }

  void Measure(int64_t rows, absl::Duration takes) {
    model_.encoder->on_batch = [this, takes](int64_t) { now_ += takes; };
    Submit(model_, rows, 0);
    batcher_->RunOneBatch();
  }

  // What a request is told that arrives while a batch of `rows` rows has computed for `elapsed` and as many others wait
  // as always may.
  absl::Status ToldWhileABatchComputes(int64_t rows, absl::Duration elapsed) {
    absl::Status told;
    model_.encoder->on_batch = [this, elapsed, &told](int64_t) {
      now_ += elapsed;
      for (int64_t i = 0; i < kAlwaysQueued; ++i) Submit(model_, 1, 0);
      told = Error(Submit(model_, 1, 0));
    };
    Submit(model_, rows, 0);
    batcher_->RunOneBatch();
    model_.encoder->on_batch = nullptr;
    return told;
  }
};

TEST_F(WaitingTimeTest, TheRestOfTheBatchThatComputesCounts) {
  MakeWith(absl::Milliseconds(20));
  Measure(20, absl::Milliseconds(20));
  const absl::Status refused = ToldWhileABatchComputes(20, absl::Milliseconds(5));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(refused), absl::Milliseconds(15 + kAlwaysQueued));
}

TEST_F(WaitingTimeTest, ABatchAboutToEndCountsForLittle) {
  MakeWith(absl::Milliseconds(20));
  Measure(20, absl::Milliseconds(20));
  EXPECT_THAT(std::string(ToldWhileABatchComputes(20, absl::Milliseconds(19)).message()), HasSubstr("not answered"));
}

TEST_F(WaitingTimeTest, ABatchThatTakesLongerThanOthersDidMakesRowsDearerBeforeItEnds) {
  MakeWith(absl::Milliseconds(20));
  Measure(20, absl::Milliseconds(20));
  // 40 ms for 10 rows, so 4 ms for each of those that wait.
  const absl::Status refused = ToldWhileABatchComputes(10, absl::Milliseconds(40));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryAfter(refused), kAlwaysQueued * absl::Milliseconds(4));
}

TEST_F(WaitingTimeTest, APauseOfTheProcessorDoesNotMakeRowsDearer) {
  MakeWith(absl::Milliseconds(20));
  Measure(20, absl::Microseconds(200));
  // By the time that its one row takes, those that wait would take 32 ms.
  EXPECT_THAT(std::string(ToldWhileABatchComputes(1, absl::Milliseconds(4)).message()), HasSubstr("not answered"));
  // A row takes 10 us, or twice that if 10 ms are more than a pause: 0.16 ms for those that wait.
  EXPECT_THAT(std::string(ToldWhileABatchComputes(1, absl::Milliseconds(10)).message()), HasSubstr("not answered"));
}

TEST_F(WaitingTimeTest, AStopOfTheMachineIsForgottenWithTheBatchThatItHeldUp) {
  MakeWith(absl::Milliseconds(20));
  for (int i = 0; i < 10; ++i) Measure(20, absl::Microseconds(200));
  Measure(20, absl::Milliseconds(250));
  for (int64_t i = 0; i < 4 * kAlwaysQueued; ++i) Submit(model_, 1, 0);
  EXPECT_THAT(std::string(Error(Submit(model_, 1, 0)).message()), HasSubstr("not answered"));
}

TEST_F(WaitingTimeTest, RowsThatStayDearAreBelievedAfterSomeBatches) {
  MakeWith(absl::Milliseconds(20));
  for (int i = 0; i < 10; ++i) Measure(20, absl::Microseconds(200));
  for (int i = 0; i < 12; ++i) Measure(20, absl::Milliseconds(250));
  for (int64_t i = 0; i < kAlwaysQueued; ++i) Submit(model_, 1, 0);
  EXPECT_EQ(Error(Submit(model_, 1, 0)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(WaitingTimeTest, AModelIsMeasuredWhileItComputesForTheFirstTime) {
  MakeWith(absl::Milliseconds(20));
  EXPECT_EQ(ToldWhileABatchComputes(1, absl::Milliseconds(10)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(WaitingTimeTest, AnsweringABatchCounts) {
  MakeWith(absl::Milliseconds(20));
  for (int i = 0; i < 4; ++i) {
    EncodeWork work;
    work.model = model_.served;
    work.rows = {DType::kF32, inputs_.emplace_back(kWidth).data(), 1, kWidth};
    work.k = 1;
    batcher_->Submit(std::move(work), [this](const absl::StatusOr<EncodeResult>&) { now_ += absl::Milliseconds(3); });
  }
  batcher_->RunOneBatch();
  for (int64_t i = 0; i < kAlwaysQueued; ++i) Submit(model_, 1, 0);
  EXPECT_EQ(RetryAfter(Error(Submit(model_, 1, 0))), kAlwaysQueued * absl::Milliseconds(3));
}

TEST_F(WaitingTimeTest, AFailedBatchTellsNothing) {
  MakeWith(absl::Milliseconds(20));
  model_.encoder->failure = absl::InternalError("no");
  Measure(1, absl::Seconds(1));
  model_.encoder->failure = absl::OkStatus();
  for (int64_t i = 0; i < kAlwaysQueued; ++i) Submit(model_, 1, 0);
  EXPECT_THAT(std::string(Error(Submit(model_, 1, 0)).message()), HasSubstr("not answered"));
}

TEST_F(WaitingTimeTest, FewRequestsOfManyRowsAreNoShortQueue) {
  MakeWith(absl::Milliseconds(20));
  Measure(10, absl::Milliseconds(10));
  EXPECT_EQ(Error(Submit(model_, 300, 0)).code(), absl::StatusCode::kUnknown) << "nothing waited";
  EXPECT_EQ(Error(Submit(model_, 16, 0)).code(), absl::StatusCode::kResourceExhausted);
}

// Requests of 16 rows come at random while batches compute. A row takes `row_takes` and each
// request that is refused makes the batch that computes longer by `refusal_takes`.
class OverloadTest : public WaitingTimeTest {
 protected:
  static constexpr int64_t kRows = 16;

  // Returns the p99 of the time from arrival to answer of the requests that were let in.
  absl::Duration P99(double rate, absl::Duration row_takes, absl::Duration refusal_takes) {
    MakeWith(absl::Milliseconds(20));
    Rng rng(1);
    const auto gap = [&] { return absl::Seconds(-std::log(rng.Uniform()) / rate); };
    absl::Time due = now_;
    const absl::Time end = now_ + 2000 * kRows * row_takes;
    std::vector<absl::Duration> taken;
    int64_t refused = 0;
    std::vector<float> input(kRows * kWidth);
    const auto arrive = [&](absl::Time until) {
      absl::Time busy_until = until;
      for (; due <= busy_until && due < end; due += gap()) {
        now_ = due;
        EncodeWork work;
        work.model = model_.served;
        work.rows = {DType::kF32, input.data(), kRows, kWidth};
        work.k = 1;
        const int64_t before = refused;
        batcher_->Submit(std::move(work), [&, arrived = due](const absl::StatusOr<EncodeResult>& result) {
          if (result.ok()) {
            taken.push_back(now_ - arrived);
          } else {
            ++refused;
          }
        });
        busy_until += (refused - before) * refusal_takes;
      }
      now_ = busy_until;
    };
    model_.encoder->on_batch = [&](int64_t rows) { arrive(now_ + rows * row_takes); };
    while (due < end) {
      if (!batcher_->RunOneBatch()) arrive(due);
    }
    while (batcher_->RunOneBatch()) {
    }
    model_.encoder->on_batch = nullptr;
    EXPECT_GT(taken.size(), 500);
    std::sort(taken.begin(), taken.end());
    return taken[taken.size() * 99 / 100];
  }

  static double Capacity(absl::Duration row_takes) { return 1 / absl::ToDoubleSeconds(kRows * row_takes); }
};

// Models from quick ones on a fast machine to large ones on a slow machine.
const std::vector<absl::Duration> kRowTakes = {absl::Microseconds(40), absl::Microseconds(100), absl::Microseconds(200),
                                               absl::Microseconds(400), absl::Milliseconds(1)};

TEST_F(OverloadTest, TenTimesTheCapacityTakesLessThanTwiceAsLongAsTheCapacity) {
  for (const absl::Duration row_takes : kRowTakes) {
    const double capacity = Capacity(row_takes);
    const absl::Duration at_capacity = P99(capacity, row_takes, row_takes / 2);
    const absl::Duration at_ten_times = P99(10 * capacity, row_takes, row_takes / 2);
    EXPECT_LT(at_ten_times, 2 * at_capacity) << row_takes << " a row: " << at_ten_times << ", " << at_capacity;
  }
}

TEST_F(OverloadTest, RequestsWaitNoLongerThanTheLimitAndTwoBatches) {
  // Ten requests in the time of 16 rows: a share s of one is computed, and the others take half a row each, so that
  // 16 s + (10 - s) / 2 = 16. All computing is slower by 1 / s.
  constexpr double kSlower = 15.5 / 11;
  for (const absl::Duration row_takes : kRowTakes) {
    const absl::Duration batch = kSlower * std::max(absl::Milliseconds(5), kAlwaysTogether * row_takes);
    const absl::Duration taken = P99(10 * Capacity(row_takes), row_takes, row_takes / 2);
    EXPECT_LT(taken, absl::Milliseconds(20) + 2 * batch) << row_takes << " a row";
    EXPECT_GT(taken, absl::Milliseconds(20)) << row_takes << " a row: more could be let in";
  }
}

}  // namespace
}  // namespace kwta::server
