// Who waits, who is let in and who is refused, when there is more to do than can be done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/batching/batcher.h"
#include "server/retry_after.h"
#include "tests/server/batching/batcher_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FairnessTest : public BatcherTest {
 protected:
  static EncodeWork Of(const std::string& caller) {
    EncodeWork work;
    work.caller = caller;
    return work;
  }

  // The time that each row takes from now on.
  void Compute(absl::Duration row_takes) {
    model_.encoder->on_batch = other_.encoder->on_batch = [this, row_takes](int64_t rows) { now_ += rows * row_takes; };
    Submit(model_, 4, 0);
    batcher_->RunOneBatch();
    Submit(other_, 4, 0);
    batcher_->RunOneBatch();
    batch_rows_.clear();
    answered_ = 0;
  }

  void RunAll() {
    while (batcher_->RunOneBatch()) {
    }
  }
};

TEST_F(FairnessTest, CallersShareTheRowsOfAModel) {
  Make({/*max_batch_rows=*/4, 100, 10'000});
  std::vector<Answer*> greedy, modest;
  for (int i = 0; i < 12; ++i) greedy.push_back(&Submit(model_, 1, 0, Of("greedy")));
  for (int i = 0; i < 3; ++i) modest.push_back(&Submit(model_, 1, 0, Of("modest")));
  RunAll();
  EXPECT_EQ(greedy[0]->order, 0);
  EXPECT_EQ(modest[0]->order, 1);
  EXPECT_EQ(modest[1]->order, 3);
  EXPECT_EQ(modest[2]->order, 5);
  EXPECT_EQ(greedy[11]->order, 14);
}

TEST_F(FairnessTest, RowsCountNotRequests) {
  Make({/*max_batch_rows=*/4, 100, 10'000});
  Answer& large1 = Submit(model_, 4, 0, Of("large"));
  Answer& large2 = Submit(model_, 4, 0, Of("large"));
  std::vector<Answer*> small;
  for (int i = 0; i < 6; ++i) small.push_back(&Submit(model_, 1, 0, Of("small")));
  RunAll();
  EXPECT_EQ(large1.order, 0);
  EXPECT_EQ(small[3]->order, 4) << "four rows of either";
  EXPECT_EQ(large2.order, 5);
  EXPECT_EQ(small[5]->order, 7);
}

TEST_F(FairnessTest, ARequestOfManyBatchesLetsOthersIn) {
  Make({/*max_batch_rows=*/4, 100, 10'000});
  Answer& huge = Submit(model_, 40, 0, Of("huge"));
  Answer& tiny = Submit(model_, 1, 7, Of("tiny"));
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(Values(tiny), ElementsAre(7));
  EXPECT_EQ(tiny.result->value().batch_rows, 4) << "together with more of the other";
  RunAll();
  EXPECT_EQ(Sparse(huge).rows(), 40);
}

TEST_F(FairnessTest, ACallerDoesNotSaveUpWhatItDidNotAskFor) {
  Make({/*max_batch_rows=*/1, 100, 10'000});
  for (int i = 0; i < 5; ++i) Submit(model_, 1, 0, Of("early"));
  for (int i = 0; i < 4; ++i) batcher_->RunOneBatch();
  Answer& early = Submit(model_, 1, 0, Of("early"));
  std::vector<Answer*> late;
  for (int i = 0; i < 3; ++i) late.push_back(&Submit(model_, 1, 0, Of("late")));
  RunAll();
  EXPECT_EQ(late[0]->order, 4) << "at once";
  EXPECT_EQ(early.order, 7) << "but then in turns";
  EXPECT_EQ(late[2]->order, 8);
}

TEST_F(FairnessTest, WhereRowsRunOutTheHeaviestCallerGivesWay) {
  Answer& oldest = Submit(model_, 4, 0, Of("greedy"));
  Answer& newest = Submit(other_, 5, 0, Of("greedy"));
  Answer& modest = Submit(model_, 2, 0, Of("modest"));  // 11 of at most 10
  EXPECT_EQ(Error(newest).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Error(newest).message()), AllOf(HasSubstr("--max-queue-rows"), HasSubstr("limit of 10")));
  EXPECT_EQ(Error(Submit(model_, 5, 0, Of("greedy"))).code(), absl::StatusCode::kResourceExhausted)
      << "a caller does not displace itself";
  EXPECT_EQ(Error(Submit(model_, 5, 0, Of("third"))).code(), absl::StatusCode::kResourceExhausted)
      << "nor one that has less";
  RunAll();
  EXPECT_TRUE(oldest.result->ok());
  EXPECT_TRUE(modest.result->ok());
  EXPECT_THAT(other_.encoder->batches, ElementsAre());
}

TEST_F(FairnessTest, WhatWasBegunIsNotDisplaced) {
  Answer& begun = Submit(model_, 10, 0, Of("greedy"));
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_EQ(Error(Submit(model_, 5, 0, Of("modest"))).code(), absl::StatusCode::kResourceExhausted);
  RunAll();
  EXPECT_TRUE(begun.result->ok());
}

TEST_F(FairnessTest, RefusesWhoWouldWaitTooLong) {
  BatcherOptions options = {/*max_batch_rows=*/4, 1000, 100'000};
  options.max_queue_time = absl::Milliseconds(20);
  Make(options);
  Compute(absl::Milliseconds(4));
  for (int64_t i = 0; i < kAlwaysQueued; ++i) {
    EXPECT_FALSE(Submit(model_, 1, 0, Of("a")).result.has_value()) << "a short queue is let grow, " << i;
  }
  const absl::Status refused = Error(Submit(model_, 1, 0, Of("a")));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("--max-queue-ms"), HasSubstr("limit of 20ms")));
  EXPECT_EQ(RetryAfter(refused), absl::Milliseconds(32));

  EncodeWork patient = Of("a");
  patient.patient = true;
  EXPECT_FALSE(Submit(model_, 1, 0, patient).result.has_value());
  EXPECT_FALSE(Submit(model_, 1, 0, Of("b")).result.has_value()) << "whose turn comes soon";
  EXPECT_FALSE(Submit(other_, 1, 0, Of("b")).result.has_value());
  RunAll();
  EXPECT_FALSE(Submit(model_, 1, 0, Of("a")).result.has_value()) << "room again";
}

TEST_F(FairnessTest, RequestsRideTogetherOnlyAsLongAsTheirBatchIsQuick) {
  BatcherOptions options = {/*max_batch_rows=*/256, 1000, 100'000};
  options.max_batch_time = absl::Milliseconds(100);
  Make(options);
  Compute(absl::Milliseconds(1));
  for (const int64_t rows : {40, 40, 40, 150, 300, 40}) Submit(model_, rows, 0, Of("a"));
  RunAll();
  EXPECT_THAT(batch_rows_, ElementsAre(80, 40, 150, 256, 84)) << "what one request asks for is not limited";
}

TEST_F(FairnessTest, SomeRowsRideTogetherHoweverSlowTheModelIs) {
  BatcherOptions options = {/*max_batch_rows=*/256, 1000, 100'000};
  options.max_batch_time = absl::Milliseconds(100);
  Make(options);
  Compute(absl::Seconds(1));
  for (int i = 0; i < 5; ++i) Submit(model_, kAlwaysTogether / 4, 0, Of("a"));
  RunAll();
  EXPECT_THAT(batch_rows_, ElementsAre(kAlwaysTogether, kAlwaysTogether / 4));
}

TEST_F(FairnessTest, RefusesWhatCannotBeDoneInTime) {
  Make({/*max_batch_rows=*/4, 1000, 100'000});
  Compute(absl::Milliseconds(2));
  Submit(model_, 10, 0, Of("a"));
  EncodeWork hurried = Of("a");
  hurried.deadline = now_ + absl::Milliseconds(20);
  const absl::Status refused = Error(Submit(model_, 1, 0, hurried));
  EXPECT_EQ(refused.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(refused.message()), AllOf(HasSubstr("cannot be met"), HasSubstr("20ms")));
  hurried.deadline = now_ + absl::Milliseconds(21);
  Answer& in_time = Submit(model_, 1, 0, hurried);
  RunAll();
  EXPECT_TRUE(in_time.result->ok()) << in_time.result->status();
}

TEST_F(FairnessTest, OtherModelsTurnsCountInTheWait) {
  BatcherOptions options = {/*max_batch_rows=*/4, 10'000, 1'000'000};
  options.max_queue_time = absl::Milliseconds(100);
  Make(options);
  Compute(absl::Milliseconds(1));
  for (int64_t i = 0; i < 64; ++i) Submit(model_, 1, 0, Of("a"));
  for (int64_t i = 0; i < 64; ++i) EXPECT_EQ(Submit(other_, 1, 0, Of("a")).result.has_value(), i >= 49) << i;
}

TEST_F(FairnessTest, ALimitAppliesToTheRestOfTenTimesTheLoad) {
  // Whatever comes, no more than the limit waits, and all that was let in is computed.
  int64_t computed = 0;
  model_.encoder->on_batch = [&computed](int64_t rows) { computed += rows; };
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 40; ++i) Submit(model_, 1, 0, Of("caller " + std::to_string(i % 7)));
    batcher_->RunOneBatch();
  }
  RunAll();
  int64_t accepted = 0;
  for (const Answer& answer : answers_) {
    ASSERT_TRUE(answer.result.has_value());
    if (answer.result->ok()) {
      ++accepted;
    } else {
      ASSERT_EQ(answer.result->status().code(), absl::StatusCode::kResourceExhausted);
    }
  }
  EXPECT_EQ(accepted, computed);
  EXPECT_EQ(accepted, 100 * 4 + 6) << "every batch was full, and the queue at the end";
}

}  // namespace
}  // namespace kwta::server
