// Cheap batches that the submitting thread computes itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "server/batching/batcher.h"
#include "tests/server/batching/batcher_fixture.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;

class KeptWorkTest : public BatcherTest {
 protected:
  KeptWorkTest() { MakeWith(BatcherOptions()); }
  // Answers what waits while the events still find this.
  ~KeptWorkTest() override { batcher_.reset(); }

  // The models' batches take `row_takes_` a row.
  void MakeWith(const BatcherOptions& options) {
    BatcherEvents events;
    events.batch_done = [this](const ServedModel&, int64_t rows, absl::Duration) {
      batch_rows_.push_back(rows);
      computed_by_ = std::this_thread::get_id();
    };
    batcher_ = std::make_unique<Batcher>(options, std::move(events), [this] { return now_; });
    for (FakeModel* model : {&model_, &other_}) {
      model->encoder->on_batch = [this](int64_t rows) { now_ += row_takes_ * rows; };
      Submit(*model, 1, 0);
      EXPECT_TRUE(batcher_->RunOneBatch());
    }
    batch_rows_.clear();
    batcher_->ComputeOnThisThread();
  }

  absl::Duration row_takes_ = kComputedBySubmitter / 4;
  std::thread::id computed_by_;
};

TEST_F(KeptWorkTest, CheapRequestsAreComputedTogetherOnTheSubmittingThread) {
  EXPECT_FALSE(batcher_->keeps());
  Answer& first = Submit(model_, 1, 10);
  Answer& second = Submit(model_, 3, 20);
  EXPECT_TRUE(batcher_->keeps());
  EXPECT_FALSE(first.result.has_value());
  batcher_->RunKept();
  EXPECT_FALSE(batcher_->keeps());
  EXPECT_THAT(batch_rows_, ElementsAre(4));
  EXPECT_THAT(Values(first), ElementsAre(10));
  EXPECT_THAT(Values(second), ElementsAre(20, 21, 22));
  EXPECT_EQ(computed_by_, std::this_thread::get_id());
}

TEST_F(KeptWorkTest, RequestsOfSeveralModelsAreKeptTogether) {
  Submit(model_, 1, 10);
  Submit(other_, 1, 20);
  batcher_->RunKept();
  EXPECT_THAT(batch_rows_, ElementsAre(1, 1));
  EXPECT_FALSE(batcher_->keeps());
}

TEST_F(KeptWorkTest, RowsThatTakeLongerTogetherAreNotKept) {
  Submit(model_, 4, 10);
  EXPECT_TRUE(batcher_->keeps());
  Submit(other_, 1, 20);
  EXPECT_FALSE(batcher_->keeps());
  batcher_->RunKept();
  EXPECT_THAT(batch_rows_, ElementsAre());
}

TEST_F(KeptWorkTest, AModelThatWasNotMeasuredIsNotKept) {
  FakeModel fresh = MakeFakeModel("fresh", kWidth, kUnits);
  Submit(fresh, 1, 10);
  EXPECT_FALSE(batcher_->keeps());
  EXPECT_TRUE(batcher_->RunOneBatch());
}

TEST_F(KeptWorkTest, WhatAnotherThreadSubmitsIsNotKeptAndNothingBesideIt) {
  std::thread([this] { Submit(model_, 1, 10); }).join();
  EXPECT_FALSE(batcher_->keeps());
  Submit(model_, 1, 20);
  EXPECT_FALSE(batcher_->keeps());
  while (batcher_->RunOneBatch()) {
  }
  Submit(model_, 1, 30);
  EXPECT_TRUE(batcher_->keeps());
  std::thread([this] { Submit(model_, 1, 40); }).join();
  EXPECT_FALSE(batcher_->keeps());
}

TEST_F(KeptWorkTest, NothingIsKeptBesideABatchThatComputes) {
  bool kept = true;
  model_.encoder->on_batch = [&](int64_t) {
    Submit(other_, 1, 20);
    kept = batcher_->keeps();
    EXPECT_FALSE(batcher_->RunOneBatch()) << "two batches at a time";
  };
  Submit(model_, 1, 10);
  batcher_->RunKept();
  EXPECT_FALSE(kept);
  EXPECT_THAT(batch_rows_, ElementsAre(1));
  model_.encoder->on_batch = nullptr;
}

TEST_F(KeptWorkTest, ABatcherThatLingersKeepsNothing) {
  BatcherOptions options;
  options.linger = absl::Milliseconds(1);
  MakeWith(options);
  Submit(model_, 1, 10);
  EXPECT_FALSE(batcher_->keeps());
}

TEST_F(KeptWorkTest, ACallerThatWentAwayLeavesNothingKept) {
  EncodeWork gone;
  gone.cancelled = [] { return true; };
  EncodeWork waits;
  bool cancelled = false;
  waits.cancelled = [&] { return cancelled; };
  Answer& answer = Submit(model_, 1, 10, waits);
  EXPECT_TRUE(batcher_->keeps());
  cancelled = true;
  EXPECT_EQ(Error(Submit(model_, 1, 20, gone)).code(), absl::StatusCode::kCancelled);
  batcher_->RunKept();
  EXPECT_EQ(Error(answer).code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(batcher_->keeps());
}

TEST_F(KeptWorkTest, WhatIsHandedOverIsComputedByTheBatchersThread) {
  batcher_->Start();
  absl::Notification answered;
  EncodeWork work;
  work.model = model_.served;
  const float row[kWidth] = {10, 0, 0};
  work.rows = {DType::kF32, row, 1, kWidth};
  work.k = 1;
  batcher_->Submit(work, [&](const absl::StatusOr<EncodeResult>& result) {
    EXPECT_TRUE(result.ok()) << result.status();
    answered.Notify();
  });
  EXPECT_TRUE(batcher_->keeps());
  batcher_->HandOverKept();
  answered.WaitForNotification();
  EXPECT_FALSE(batcher_->keeps());
  batcher_->Drain();
  EXPECT_NE(computed_by_, std::this_thread::get_id());
}

TEST_F(KeptWorkTest, DrainAnswersWhatIsKept) {
  batcher_->Start();
  Answer& answer = Submit(model_, 1, 10);
  EXPECT_TRUE(batcher_->keeps());
  batcher_->Drain();
  EXPECT_FALSE(batcher_->keeps());
  EXPECT_THAT(Values(answer), ElementsAre(10));
}

}  // namespace
}  // namespace kwta::server
