#include "server/batching/batch_lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "tests/server/fake_encoder.h"

namespace kwta::server {
namespace {

// An encoder whose batches wait for each other until there are so many at a time.
class MeetingEncoder final : public Encoder {
 public:
  explicit MeetingEncoder(int meet) : meet_(meet) {}

  int64_t input_width() const override { return 1; }
  int64_t code_width() const override { return 1; }
  int64_t parameter_bytes() const override { return 4; }
  absl::StatusOr<int64_t> ResolveK(const EncodeOptions&) const override { return 1; }
  absl::Status Encode(const RowsView& x, int64_t k, Codes* codes) const override {
    absl::MutexLock lock(&mutex_);
    ++inside_;
    most_ = std::max(most_, inside_);
    const auto enough = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return most_ >= meet_; };
    const bool met = mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Seconds(30));
    --inside_;
    return met ? fake_.Encode(x, k, codes) : absl::DeadlineExceededError("the other batch did not come");
  }
  absl::Status Decode(const SparseCodes& codes, float* out) const override { return fake_.Decode(codes, out); }

  int most() const {
    absl::MutexLock lock(&mutex_);
    return most_;
  }

 private:
  const int meet_;
  const FakeEncoder fake_{1, 1};
  mutable absl::Mutex mutex_;
  mutable int inside_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable int most_ ABSL_GUARDED_BY(mutex_) = 0;
};

class BatchLanesTest : public ::testing::Test {
 protected:
  static constexpr int kRequests = 20;

  // Submits requests of one row each to a model, waits for them, and returns how many had their own row's code.
  int Right(BatchLanes& lanes, const std::shared_ptr<const Encoder>& encoder, bool reconstruct = false) {
    auto model = std::make_shared<ServedModel>();
    model->name = "a";
    model->encoder = encoder;
    std::vector<float> rows(kRequests);
    std::atomic<int> right{0};
    absl::BlockingCounter left(kRequests);
    for (int i = 0; i < kRequests; ++i) {
      rows[i] = static_cast<float>(i + 1);
      EncodeWork work;
      work.model = model;
      work.rows = {DType::kF32, &rows[i], 1, 1};
      work.k = 1;
      work.reconstruct = reconstruct;
      lanes.Submit(std::move(work), [&, i](const absl::StatusOr<EncodeResult>& result) {
        EXPECT_TRUE(result.ok()) << result.status();
        if (result.ok() && !reconstruct) right += std::get<SparseCodes>(result->codes).values[0] == rows[i];
        if (result.ok() && reconstruct) right += std::get<Tensor>(result->codes).as<float>()[0] == rows[i];
        left.DecrementCount();
      });
    }
    left.Wait();
    return right;
  }

  BatcherOptions options_;
  std::atomic<int> encoded_{0};
  std::atomic<int> at_a_time_{0};
  BatcherEvents events_ = [this] {
    options_.max_batch_rows = 1;
    BatcherEvents events;
    events.encoded = [this](const ServedModelPtr&, const RowsView&, const Codes&) {
      EXPECT_EQ(++at_a_time_, 1);
      ++encoded_;
      --at_a_time_;
    };
    return events;
  }();
};

TEST_F(BatchLanesTest, ADeviceHasSeveralBatchesAtATime) {
  const auto encoder = std::make_shared<MeetingEncoder>(2);
  BatchLanes lanes(options_, events_, [](const ServedModel&) { return true; });
  lanes.Start();
  EXPECT_EQ(Right(lanes, encoder), kRequests);
  EXPECT_EQ(encoder->most(), static_cast<int>(BatchLanes::kDeviceLanes));
  EXPECT_EQ(encoded_, kRequests);
}

TEST_F(BatchLanesTest, ProcessorsHaveOneBatchAtATime) {
  const auto encoder = std::make_shared<MeetingEncoder>(1);
  BatchLanes lanes(options_, events_, [](const ServedModel&) { return false; });
  lanes.Start();
  EXPECT_EQ(Right(lanes, encoder), kRequests);
  EXPECT_EQ(encoder->most(), 1);
  BatchLanes without_device(options_, events_, nullptr);
  without_device.Start();
  EXPECT_EQ(Right(without_device, encoder), kRequests);
  EXPECT_EQ(encoder->most(), 1);
}

TEST_F(BatchLanesTest, ReconstructionsAreTheProcessors) {
  const auto encoder = std::make_shared<MeetingEncoder>(1);
  BatchLanes lanes(options_, events_, [](const ServedModel&) { return true; });
  lanes.Start();
  EXPECT_EQ(Right(lanes, encoder, /*reconstruct=*/true), kRequests);
  EXPECT_EQ(encoder->most(), 1);
}

TEST_F(BatchLanesTest, WhatWaitsAndWhatIsAcceptedCountsInAllLanes) {
  bool on_device = true;
  BatchLanes lanes(options_, events_, [&](const ServedModel&) { return on_device; });
  const FakeModel model = MakeFakeModel("a", 1, 1);
  const float row = 3;
  int answered = 0;
  for (int i = 0; i < 5; ++i) {
    on_device = i != 4;
    EncodeWork work;
    work.model = model.served;
    work.rows = {DType::kF32, &row, 1, 1};
    work.k = 1;
    lanes.Submit(std::move(work), [&](const absl::StatusOr<EncodeResult>& result) { answered += result.ok(); });
  }
  EXPECT_EQ(lanes.Waiting().requests, 5);
  EXPECT_EQ(lanes.Waiting().rows, 5);
  EXPECT_EQ(lanes.Waiting().bytes, 20);
  lanes.Drain();
  EXPECT_EQ(answered, 5);
  EXPECT_EQ(lanes.Waiting().requests, 0);
}

}  // namespace
}  // namespace kwta::server
