#include "core/training/training_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/training/job_spec.h"
#include "tests/temporary_directory.h"

namespace kwta::training_loop_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kRows = 10, kEpochs = 3;  // of two batches

// Learns nothing: a test says what the rows of each update lose.
class FakeTrainee : public Trainee {
 public:
  int64_t rows() const override { return kRows; }
  int64_t units() const override { return 2; }
  int64_t epochs() const override { return kEpochs; }
  uint64_t OrderStream(int64_t epoch) const override { return epoch; }
  double LearningRate(int64_t update) const override { return 0.5 - 0.01 * static_cast<double>(update); }
  std::string EpochName(int64_t epoch) const override { return absl::StrCat(epoch + 1, " of ", kEpochs); }
  std::string DataFingerprint() const override { return "rows"; }
  Baseline baseline() const override { return {1, "guessing"}; }
  std::vector<std::string> FinalWarnings(const EpochTotals&) const override { return {"the end"}; }

  absl::Status Reset() override { return absl::OkStatus(); }
  absl::Status Update(const TrainingBatch& batch) override {
    if (diverges_at == updates_done) return absl::FailedPreconditionError("it diverged");
    losses.push_back(static_cast<double>(batch.rows) * loss(updates_done++));
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<double>> TakeLosses(EpochTotals*) override { return std::exchange(losses, {}); }
  const char* loss_name() const override { return "regret"; }
  absl::StatusOr<TensorMap> Checkpoint() const override {
    TensorMap state;
    state["updates"] = Tensor(DType::kI64, {1});
    *state["updates"].as<int64_t>() = updates_done;
    return state;
  }
  absl::Status Restore(const TensorMap& state) override {
    updates_done = *state.at("updates").as<int64_t>();
    return absl::OkStatus();
  }
  void Describe(const EpochReport&, const EpochTotals*, v1::TrainingProgress*) const override {}
  absl::StatusOr<ModelBundle> Finish(const EpochTotals&) override {
    ModelBundle model;
    model.tensors["weights"] = Tensor(DType::kF32, {1});
    *model.tensors["weights"].as<float>() = weight;
    return model;
  }

  std::vector<std::string> other_causes() const override { return causes; }

  std::function<double(int64_t)> loss = [](int64_t) { return 0.5; };  // of a row of an update, from 0
  int64_t diverges_at = -1;
  std::vector<std::string> causes;
  float weight = 1;
  int64_t updates_done = 0;
  std::vector<double> losses;  // not taken yet
};

class TrainingLoopTest : public testing::Test {
 protected:
  TrainingLoopTest() {
    spec_.set_model("model");
    spec_.mutable_encoder()->mutable_k_sparse()->set_units(2);
    spec_.mutable_encoder()->mutable_k_sparse()->set_k(1);
    spec_.mutable_dataset()->set_path("rows.npy");
    spec_.mutable_training()->set_epochs(kEpochs);
    spec_.mutable_training()->set_batch_size(5);
    spec_.mutable_training()->set_learning_rate(0.5f);
    EXPECT_EQ(ResolveJobSpec(&spec_), absl::OkStatus());
  }
  absl::StatusOr<ModelBundle> Run() { return RunTrainingLoop(spec_, data_, trainee_, control_); }
  void ExpectDiverged(const std::string& text) {
    const absl::Status status = Run().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(status.message(), text);
  }

  const std::shared_ptr<Tensor> rows_ = std::make_shared<Tensor>(DType::kF32, Shape{kRows, 1});
  const Dataset data_{rows_, rows_->rows(), {1}, std::vector<uint32_t>(kRows), {}};
  v1::JobSpec spec_;
  FakeTrainee trainee_;
  TrainingControl control_;
  const TemporaryDirectory directory_;
};

TEST_F(TrainingLoopTest, ReturnsTheModelWithItsStatistics) {
  std::vector<v1::TrainingProgress> reports;
  control_.report_seconds = 1e9;
  control_.report = [&](const v1::TrainingProgress& progress) { reports.push_back(progress); };
  const absl::StatusOr<ModelBundle> model = Run();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->description.statistics().loss(), 0.5);
  EXPECT_EQ(model->description.statistics().training_rows(), 10u);
  ASSERT_EQ(reports.size(), 3u);
  EXPECT_THAT(reports[1].warnings(), IsEmpty());
  EXPECT_THAT(reports[2].warnings(), ElementsAre("the end"));
}

TEST_F(TrainingLoopTest, SaysWhereAnUpdateDiverged) {
  trainee_.diverges_at = 3;
  ExpectDiverged(
      "it diverged, in epoch 2 of 3, update 2 of 2, at a learning rate of 0.47; lower training.learning_rate from 0.5 "
      "(a tenth is a good next try)");
}

TEST_F(TrainingLoopTest, NamesWhateverMayBeTheCause) {
  trainee_.diverges_at = 3;
  trainee_.causes = {"noise from 2", "a penalty from 3"};
  ExpectDiverged(
      "it diverged, in epoch 2 of 3, update 2 of 2, at a learning rate of 0.47; lower training.learning_rate from 0.5 "
      "or noise from 2 or a penalty from 3 (a tenth is a good next try)");
}

TEST_F(TrainingLoopTest, SaysWhereAnUpdateDivergedThatIsOnlyLookedAtLater) {
  for (const double lost : {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    trainee_ = FakeTrainee();
    trainee_.loss = [=](int64_t update) { return update == 2 ? lost : 0.5; };
    ExpectDiverged(
        "training has diverged: the regret of a batch is not finite, in epoch 2 of 3, update 1 of 2, at a learning "
        "rate of 0.48; lower training.learning_rate from 0.5 (a tenth is a good next try)");
    EXPECT_EQ(trainee_.updates_done, 4);
  }
}

TEST_F(TrainingLoopTest, WhatIsWorseThanTheBaselineAtTheEndHasDiverged) {
  trainee_.loss = [](int64_t update) { return update == 0 ? 1.0 : 2.1; };
  ExpectDiverged(
      "training has diverged: the mean loss of the epoch is 2.1, where guessing leaves 1, in epoch 3 of 3, update 2 of "
      "2, "
      "at a learning rate of 0.45; lower training.learning_rate from 0.5 (a tenth is a good next try)");
}

TEST_F(TrainingLoopTest, WhatIsMuchWorseThanTheBaselineHasDivergedAtOnce) {
  trainee_.loss = [](int64_t update) { return update < 2 ? 1.0 : 10.1; };
  ExpectDiverged(
      "training has diverged: the mean loss of the epoch is 10.1, where guessing leaves 1, in epoch 2 of 3, update 2 "
      "of 2, "
      "at a learning rate of 0.47; lower training.learning_rate from 0.5 (a tenth is a good next try)");
}

TEST_F(TrainingLoopTest, RowsThatAreFarFromZeroMayStayWorseThanTheBaseline) {
  trainee_.loss = [](int64_t) { return 500.0; };
  EXPECT_TRUE(Run().ok());
}

TEST_F(TrainingLoopTest, ARiseAboveTheBaselineHasDiverged) {
  trainee_.loss = [](int64_t update) { return update == 0 ? 5.0 : update < 4 ? 0.4 : 1.1; };
  ExpectDiverged(
      "training has diverged: the mean loss of an epoch has risen from 0.4 and is 1.1, where guessing leaves 1, in "
      "epoch 3 "
      "of 3, update 2 of 2, at a learning rate of 0.45; lower training.learning_rate from 0.5 (a tenth is a good next "
      "try)");
  trainee_.updates_done = 0;
  trainee_.loss = [](int64_t update) { return update < 4 ? 0.1 : 0.9; };
  EXPECT_TRUE(Run().ok()) << "fewer activities than at first may cost as much";
}

TEST_F(TrainingLoopTest, ALossThatWasNeverBelowTheBaselineMaySwing) {
  trainee_.loss = [](int64_t update) { return update < 2 ? 1000.0 : update < 4 ? 2.0 : 900.0; };
  EXPECT_EQ(Run().status(), absl::OkStatus());
  trainee_.updates_done = 0;
  trainee_.loss = [](int64_t update) { return update < 2 ? 1000.0 : update < 4 ? 0.9 : 900.0; };
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("has risen from 0.9 and is 900"));
}

TEST_F(TrainingLoopTest, OneBatchOfHardRowsAfterTheLastUpdateIsNoDivergence) {
  trainee_.loss = [](int64_t update) { return update == 6 ? 11 : 0.5; };
  EXPECT_EQ(Run().status(), absl::OkStatus());
  EXPECT_EQ(trainee_.updates_done, 8);
}

TEST_F(TrainingLoopTest, WhatTheLastUpdateBreaksHasDiverged) {
  trainee_.loss = [](int64_t update) { return update < 6 ? 0.5 : 11; };
  ExpectDiverged(
      "training has diverged: the mean loss of a batch after the last update is 11, where guessing leaves 1, in epoch "
      "3 of "
      "3, update 2 of 2, at a learning rate of 0.45; lower training.learning_rate from 0.5 (a tenth is a good next "
      "try)");
  trainee_ = FakeTrainee();
  trainee_.diverges_at = 6;
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("it diverged, in epoch 3 of 3, update 2 of 2"));
  trainee_ = FakeTrainee();
  trainee_.weight = std::numeric_limits<float>::infinity();
  ExpectDiverged(
      "training has diverged: \"weights\" of the model is not finite, in epoch 3 of 3, update 2 of 2, at a learning "
      "rate "
      "of 0.45; lower training.learning_rate from 0.5 (a tenth is a good next try)");
}

TEST_F(TrainingLoopTest, ARunThatWasInterruptedIsJudgedByWhatCameBefore) {
  std::atomic<bool> stop{false};
  control_.checkpoint_directory = directory_.path();
  control_.stop = &stop;
  control_.report_seconds = 1e9;
  control_.report = [&](const v1::TrainingProgress& progress) { stop = progress.epochs_done() == 2; };
  trainee_.loss = [](int64_t update) { return update < 4 ? 0.4 : 1.1; };
  ASSERT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
  stop = false;
  EXPECT_THAT(std::string(Run().status().message()), HasSubstr("has risen from 0.4 and is 1.1"));
}

TEST_F(TrainingLoopTest, TheFingerprintIsOfTheWholeSpecButWhatChangesNothing) {
  control_.checkpoint_directory = directory_.path();
  ASSERT_TRUE(Run().ok());
  int reports = 0;
  std::vector<std::string> warnings;
  control_.report = [&](const v1::TrainingProgress& progress) {
    ++reports;
    warnings.assign(progress.warnings().begin(), progress.warnings().end());
  };
  spec_.set_model("another");
  spec_.mutable_training()->set_threads(2);
  spec_.mutable_training()->set_checkpoint_epochs(2);
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(reports, 0) << "it was finished";
  spec_.mutable_training()->set_momentum(0.5f);
  ASSERT_TRUE(Run().ok());
  EXPECT_GE(reports, 3);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("training starts anew: the checkpoint "), "the end"));
}

}  // namespace
}  // namespace kwta::training_loop_test
