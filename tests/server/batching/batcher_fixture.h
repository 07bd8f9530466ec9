// A batcher driven by hand: batches run when a test says so, and time passes when a test says so.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/batching/batcher.h"
#include "tests/server/fake_encoder.h"

namespace kwta::server {

class BatcherTest : public ::testing::Test {
 protected:
  static constexpr int64_t kWidth = 3;
  static constexpr int64_t kUnits = 8;

  // The answer to a request, once there is one; `order` counts answers from 0.
  struct Answer {
    std::optional<absl::StatusOr<EncodeResult>> result;
    int order = -1;
  };

  BatcherTest() { Make({/*max_batch_rows=*/4, /*max_queue_rows=*/10, /*max_queue_bytes=*/1000}); }

  void Make(const BatcherOptions& options) {
    batcher_ = std::make_unique<Batcher>(
        options,
        BatcherEvents{[this](const ServedModel&, int64_t rows, absl::Duration) { batch_rows_.push_back(rows); },
                      nullptr, nullptr},
        [this] { return now_; });
  }

  // Submits `rows` rows whose first elements are first, first + 1, ...
  Answer& Submit(const FakeModel& model, int64_t rows, float first, EncodeWork work = {}) {
    std::vector<float>& input = inputs_.emplace_back(rows * kWidth);
    for (int64_t row = 0; row < rows; ++row) input[row * kWidth] = first + static_cast<float>(row);
    work.model = model.served;
    work.rows = {DType::kF32, input.data(), rows, kWidth};
    if (work.k == 0) work.k = 1;
    return SubmitWork(std::move(work));
  }

  Answer& SubmitWork(EncodeWork work) {
    Answer& answer = answers_.emplace_back();
    batcher_->Submit(std::move(work), [this, &answer](absl::StatusOr<EncodeResult> result) {
      EXPECT_FALSE(answer.result.has_value()) << "answered twice";
      answer.result = std::move(result);
      answer.order = answered_++;
    });
    return answer;
  }

  static const SparseCodes& Sparse(const Answer& answer) { return std::get<SparseCodes>(answer.result->value().codes); }
  static std::vector<float> Values(const Answer& answer) { return Sparse(answer).values; }
  // Of dense codes, or of reconstructions.
  static std::vector<float> Dense(const Answer& answer) {
    const Tensor& dense = std::get<Tensor>(answer.result->value().codes);
    return std::vector<float>(dense.as<float>(), dense.as<float>() + dense.elements());
  }
  static absl::Status Error(const Answer& answer) {
    return answer.result.has_value() ? answer.result->status() : absl::UnknownError("not answered");
  }

  absl::Time now_ = absl::FromUnixSeconds(1000);
  std::vector<int64_t> batch_rows_;
  std::deque<std::vector<float>> inputs_;
  std::deque<Answer> answers_;
  int answered_ = 0;
  FakeModel model_ = MakeFakeModel("a", kWidth, kUnits);
  FakeModel other_ = MakeFakeModel("b", kWidth, kUnits);
  std::unique_ptr<Batcher> batcher_;  // last: its destructor answers
};

}  // namespace kwta::server
