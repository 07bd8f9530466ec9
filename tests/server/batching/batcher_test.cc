#include "server/batching/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/server/batching/batcher_fixture.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(BatcherTest, SaysWhenItAnswersABatch) {
  std::vector<int> answered_when;
  BatcherEvents events;
  events.answering = events.answered = [&] { answered_when.push_back(answered_); };
  batcher_ = std::make_unique<Batcher>(BatcherOptions(), events, [this] { return now_; });
  Submit(model_, 1, 10);
  Submit(model_, 2, 20);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(answered_when, ElementsAre(0, 2));
}

TEST_F(BatcherTest, CombinesWhatWaitsInOrderOfArrival) {
  Answer& first = Submit(model_, 1, 10);
  Answer& second = Submit(model_, 2, 20);
  EXPECT_FALSE(first.result.has_value());
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(batch_rows_, ElementsAre(3));
  EXPECT_THAT(Values(first), ElementsAre(10));
  EXPECT_THAT(Values(second), ElementsAre(20, 21));
  EXPECT_EQ(first.order, 0);
  EXPECT_EQ(first.result->value().batch_rows, 3);
  EXPECT_FALSE(batcher_->RunOneBatch());
}

TEST_F(BatcherTest, SplitsALargeRequestAndPutsItTogether) {
  Answer& large = Submit(model_, 9, 1);
  Answer& small = Submit(model_, 1, 50);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_FALSE(large.result.has_value());
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(batch_rows_, ElementsAre(4, 4, 2));
  EXPECT_THAT(Values(large), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(Sparse(large).row_offsets, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(Sparse(large).units, kUnits);
  EXPECT_EQ(large.result->value().batch_rows, 4);
  EXPECT_THAT(Values(small), ElementsAre(50));
}

TEST_F(BatcherTest, SplitsDenseCodesAndPutsThemTogether) {
  model_.encoder->dense = true;
  Answer& large = Submit(model_, 6, 1);
  Answer& small = Submit(model_, 2, 50);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(batch_rows_, ElementsAre(4, 4));
  const auto column = [](const Answer& answer, int64_t unit) {
    std::vector<float> values;
    const std::vector<float> dense = Dense(answer);
    for (size_t i = unit; i < dense.size(); i += kUnits) values.push_back(dense[i]);
    return values;
  };
  EXPECT_THAT(column(large, 0), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(column(large, 1), ElementsAre(0, 0, 0, 0, 0, 0));
  EXPECT_THAT(column(small, 0), ElementsAre(50, 51));
  EXPECT_EQ(CodeRows(large.result->value().codes), 6);
}

TEST_F(BatcherTest, CountsABatchOnceForThoseWhoCountBatches) {
  EncodeWork counts;
  counts.counts_batches = true;
  Answer& other = Submit(model_, 1, 0);
  Answer& first = Submit(model_, 1, 1, counts);
  Answer& second = Submit(model_, 2, 2, counts);
  Answer& large = Submit(model_, 6, 4, counts);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_THAT(batch_rows_, ElementsAre(4, 4, 2));
  EXPECT_EQ(other.result->value().batches, 0);
  EXPECT_EQ(first.result->value().batches, 1);
  EXPECT_EQ(second.result->value().batches, 0);
  EXPECT_EQ(large.result->value().batches, 2);
}

TEST_F(BatcherTest, ReconstructionsRideApartFromCodes) {
  EncodeWork reconstruct;
  reconstruct.reconstruct = true;
  Answer& codes = Submit(model_, 1, 10);
  Answer& first = Submit(model_, 1, 20, reconstruct);
  Answer& second = Submit(model_, 2, 30, reconstruct);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(Values(codes), ElementsAre(10));
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_THAT(batch_rows_, ElementsAre(1, 3));
  EXPECT_EQ(Dense(first), std::vector<float>(kWidth, 20));
  EXPECT_EQ(Dense(second).size(), 2u * kWidth);
  EXPECT_EQ(Dense(second).back(), 31);
}

TEST_F(BatcherTest, DoesNotSplitWhatFitsIntoABatch) {
  Submit(model_, 3, 1);
  Submit(model_, 2, 10);
  batcher_->RunOneBatch();
  batcher_->RunOneBatch();
  EXPECT_THAT(batch_rows_, ElementsAre(3, 2));
}

TEST_F(BatcherTest, CombinesOnlyTheSameKAndTheSameDType) {
  EncodeWork k2;
  k2.k = 2;
  Answer& first = Submit(model_, 1, 10);
  Answer& second = Submit(model_, 1, 20, k2);
  const uint8_t bytes[kWidth] = {7, 0, 0};
  EncodeWork u8;
  u8.model = model_.served;
  u8.rows = {DType::kU8, bytes, 1, kWidth};
  u8.k = 1;
  Answer& third = SubmitWork(u8);
  Answer& fourth = Submit(model_, 1, 40);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_THAT(batch_rows_, ElementsAre(2, 1, 1));
  EXPECT_THAT(Values(first), ElementsAre(10));
  EXPECT_THAT(Values(second), ElementsAre(20, 20));
  EXPECT_THAT(Values(third), ElementsAre(7));
  EXPECT_THAT(Values(fourth), ElementsAre(40));
}

TEST_F(BatcherTest, ModelsTakeTurns) {
  Answer& busy_first = Submit(model_, 4, 1);
  Answer& busy_second = Submit(model_, 4, 5);
  Answer& rare = Submit(other_, 1, 9);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_EQ(busy_first.order, 0);
  EXPECT_EQ(rare.order, 1);
  EXPECT_EQ(busy_second.order, 2);
}

TEST_F(BatcherTest, TwoVersionsOfAModelAreNotCombined) {
  const FakeModel next = MakeFakeModel("a", kWidth, kUnits, 2);
  Submit(model_, 1, 1);
  Submit(next, 1, 2);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_THAT(model_.encoder->batches, ElementsAre(1));
  EXPECT_THAT(next.encoder->batches, ElementsAre(1));
}

TEST_F(BatcherTest, RefusesMoreRowsThanTheLimitByName) {
  Submit(model_, 10, 0);
  Answer& refused = Submit(other_, 1, 0);
  EXPECT_EQ(Error(refused).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Error(refused).message()), AllOf(HasSubstr("--max-queue-rows"), HasSubstr("limit of 10")));
  batcher_->RunOneBatch();  // four rows leave the queue
  EXPECT_FALSE(Submit(other_, 4, 0).result.has_value());
  EXPECT_EQ(Error(Submit(other_, 1, 0)).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(BatcherTest, RefusesMoreBytesThanTheLimitByName) {
  Make({4, 1000, /*max_queue_bytes=*/3 * 12});
  Submit(model_, 2, 0);
  EXPECT_FALSE(Submit(model_, 1, 0).result.has_value());
  Answer& refused = Submit(model_, 1, 0);
  EXPECT_EQ(Error(refused).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(Error(refused).message()), HasSubstr("--max-queue-bytes"));
}

TEST_F(BatcherTest, TakesARequestAboveTheLimitWhenNothingWaits) {
  Answer& answer = Submit(model_, 20, 0);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_EQ(Sparse(answer).rows(), 20);
}

TEST_F(BatcherTest, DeadlineAtEnqueue) {
  EncodeWork late;
  late.deadline = now_;
  Answer& answer = Submit(model_, 1, 0, late);
  EXPECT_EQ(Error(answer).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(batcher_->RunOneBatch());
}

TEST_F(BatcherTest, DeadlineWhenTheBatchForms) {
  EncodeWork hurried;
  hurried.deadline = now_ + absl::Seconds(1);
  Answer& late = Submit(model_, 3, 0, hurried);
  Answer& patient = Submit(model_, 1, 8);
  now_ += absl::Seconds(1);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_EQ(Error(late).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(Error(late).message()), HasSubstr("after 1s in the queue"));
  EXPECT_THAT(Values(patient), ElementsAre(8));
  EXPECT_THAT(model_.encoder->batches, ElementsAre(1));
}

TEST_F(BatcherTest, NothingIsComputedForCallersThatWentAway) {
  bool gone = false;
  EncodeWork work;
  work.cancelled = [&gone] { return gone; };
  Answer& answer = Submit(model_, 1, 0, work);
  gone = true;
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_EQ(Error(answer).code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(model_.encoder->batches, ElementsAre());
}

TEST_F(BatcherTest, LooksAgainJustBeforeItComputes) {
  // Asked at Submit, when the batch forms, and before it is computed: gone at the third look.
  int looks = 0;
  EncodeWork work;
  work.cancelled = [&looks] { return ++looks >= 3; };
  Answer& gone = Submit(model_, 1, 0, work);
  Answer& stays = Submit(model_, 1, 5);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_EQ(Error(gone).code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(Values(stays), ElementsAre(5));
  EXPECT_THAT(model_.encoder->batches, ElementsAre(1));
}

TEST_F(BatcherTest, TheRestOfASplitRequestIsDroppedWithItsDeadline) {
  EncodeWork hurried;
  hurried.deadline = now_ + absl::Seconds(1);
  Answer& answer = Submit(model_, 9, 0, hurried);
  EXPECT_TRUE(batcher_->RunOneBatch());
  now_ += absl::Seconds(2);
  EXPECT_TRUE(batcher_->RunOneBatch());
  EXPECT_EQ(Error(answer).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(batcher_->RunOneBatch());
  EXPECT_THAT(model_.encoder->batches, ElementsAre(4));
}

TEST_F(BatcherTest, AnErrorOfTheEncoderAnswersEachRequestOnce) {
  model_.encoder->failure = absl::InternalError("the device is on fire");
  Answer& large = Submit(model_, 6, 0);
  Answer& small = Submit(other_, 1, 3);
  while (batcher_->RunOneBatch()) {
  }
  EXPECT_EQ(Error(large).code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(Error(large).message()), HasSubstr("on fire"));
  EXPECT_THAT(model_.encoder->batches, ElementsAre(4)) << "the rest must not be computed";
  EXPECT_THAT(Values(small), ElementsAre(3));
}

TEST_F(BatcherTest, MeasuresTheTimeInTheQueue) {
  Answer& early = Submit(model_, 1, 0);
  now_ += absl::Milliseconds(30);
  Answer& late = Submit(model_, 1, 0);
  now_ += absl::Milliseconds(20);
  batcher_->RunOneBatch();
  EXPECT_EQ(early.result->value().queued, absl::Milliseconds(50));
  EXPECT_EQ(late.result->value().queued, absl::Milliseconds(20));
  EXPECT_EQ(late.result->value().computed, absl::ZeroDuration());
}

TEST_F(BatcherTest, DrainFinishesWhatWasAcceptedAndRefusesTheRest) {
  Answer& accepted = Submit(model_, 6, 1);
  batcher_->Drain();
  EXPECT_EQ(Sparse(accepted).rows(), 6);
  Answer& refused = Submit(model_, 1, 1);
  EXPECT_EQ(Error(refused).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Error(refused).message()), HasSubstr("stopping"));
}

TEST_F(BatcherTest, AThreadOfItsOwnAnswersAndStops) {
  batcher_->Start();
  absl::Notification answered;
  const float row[kWidth] = {5, 0, 0};
  EncodeWork work;
  work.model = model_.served;
  work.rows = {DType::kF32, row, 1, kWidth};
  work.k = 1;
  std::vector<float> values;
  batcher_->Submit(work, [&](absl::StatusOr<EncodeResult> result) {
    values = std::get<SparseCodes>(result.value().codes).values;
    answered.Notify();
  });
  answered.WaitForNotification();
  EXPECT_THAT(values, ElementsAre(5));
  batcher_->Drain();
}

TEST_F(BatcherTest, ABatchThatLingersWaitsForMoreUntilItIsFull) {
  BatcherOptions options = {/*max_batch_rows=*/2, 10, 1000};
  options.linger = absl::Hours(24 * 365);
  batcher_ = std::make_unique<Batcher>(options, BatcherEvents{});
  batcher_->Start();
  absl::Notification first, second;
  const float row[kWidth] = {5, 0, 0};
  EncodeWork work;
  work.model = model_.served;
  work.rows = {DType::kF32, row, 1, kWidth};
  work.k = 1;
  batcher_->Submit(work, [&](const absl::StatusOr<EncodeResult>& result) {
    EXPECT_EQ(result.value().batch_rows, 2);
    first.Notify();
  });
  EXPECT_FALSE(first.HasBeenNotified());
  batcher_->Submit(work, [&](const absl::StatusOr<EncodeResult>&) { second.Notify(); });
  first.WaitForNotification();
  second.WaitForNotification();
  batcher_->Submit(work, [](const absl::StatusOr<EncodeResult>& result) { EXPECT_EQ(result.value().batch_rows, 1); });
  batcher_->Drain();  // which does not linger
}

}  // namespace
}  // namespace kwta::server
