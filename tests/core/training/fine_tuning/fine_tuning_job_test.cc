#include "core/training/fine_tuning/fine_tuning_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>

#include "core/backends/backend_registry.h"
#include "core/training/fine_tuning/fine_tuning.h"
#include "tests/temporary_directory.h"

namespace kwta::fine_tuning_job_test {
namespace {

using testing::HasSubstr;

v1::JobSpec MinimalSpec() {
  v1::JobSpec spec;
  spec.set_model("tuned");
  spec.mutable_base()->set_model("base");
  spec.mutable_fine_tuning();
  spec.mutable_dataset()->set_name("fashion-mnist");
  return spec;
}

void ExpectRefused(v1::JobSpec spec, const std::string& text) {
  const absl::Status status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(ResolveFineTuning, FillsInEveryDefaultOnce) {
  v1::JobSpec spec = MinimalSpec();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  const v1::FineTuningSpec& tuning = spec.fine_tuning();
  EXPECT_EQ(tuning.classifier_epochs(), 20u);
  EXPECT_EQ(tuning.classifier_rate(), 0.1f);
  EXPECT_EQ(tuning.classifier_l2(), 1e-5f);
  EXPECT_TRUE(tuning.has_encoder_l2() && tuning.has_input_dropout() && tuning.has_code_dropout() &&
              tuning.has_adversarial_length() && tuning.has_max_shift());
  EXPECT_EQ(spec.training().learning_rate(), 0.02f);
  EXPECT_TRUE(spec.training().has_final_learning_rate());
  EXPECT_EQ(spec.training().final_learning_rate(), 0);
  EXPECT_EQ(spec.training().optimiser(), v1::OPTIMISER_SGD);
  EXPECT_EQ(spec.training().epochs(), 30u);
  EXPECT_FALSE(spec.has_encoder());
  const std::string once = spec.SerializeAsString();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_EQ(spec.SerializeAsString(), once);
}

TEST(ResolveFineTuning, SaysWhatIsWrong) {
  v1::JobSpec spec = MinimalSpec();
  spec.clear_base();
  ExpectRefused(spec, "fine_tuning is set without base");
  spec = MinimalSpec();
  spec.mutable_encoder()->mutable_k_sparse();
  ExpectRefused(spec, "encoder is set together with fine_tuning, which adds no layer to the base model 'base'");
  spec = MinimalSpec();
  spec.mutable_preprocessing()->set_subtract_mean(true);
  ExpectRefused(spec, "preprocessing is set together with base");
  spec = MinimalSpec();
  spec.mutable_training()->set_optimiser(v1::OPTIMISER_ADAM);
  ExpectRefused(spec, "training.optimiser is OPTIMISER_ADAM; expected OPTIMISER_SGD");
  spec = MinimalSpec();
  spec.mutable_training()->set_final_learning_rate(0.01f);
  ExpectRefused(spec, "training.final_learning_rate is 0.01; expected 0, to which the rate of fine-tuning falls");
  spec = MinimalSpec();
  spec.mutable_training()->set_learning_rate(0);
  ExpectRefused(spec, "training.learning_rate is 0");

  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto expect = [](const std::string& text, const std::function<void(v1::FineTuningSpec*)>& set) {
    v1::JobSpec wrong = MinimalSpec();
    set(wrong.mutable_fine_tuning());
    ExpectRefused(wrong, text);
  };
  expect("fine_tuning.classifier_epochs is 0; expected 1 .. 10000", [](auto* f) { f->set_classifier_epochs(0); });
  expect("fine_tuning.classifier_epochs is 10001", [](auto* f) { f->set_classifier_epochs(10001); });
  expect("fine_tuning.classifier_rate is 0; expected above 0", [](auto* f) { f->set_classifier_rate(0); });
  expect("fine_tuning.encoder_l2 is -1; expected at least 0", [](auto* f) { f->set_encoder_l2(-1); });
  expect("fine_tuning.classifier_l2 is nan", [=](auto* f) { f->set_classifier_l2(nan); });
  expect("fine_tuning.input_dropout is 1; expected at least 0 and below 1", [](auto* f) { f->set_input_dropout(1); });
  expect("fine_tuning.code_dropout is -0.5", [](auto* f) { f->set_code_dropout(-0.5f); });
  expect("fine_tuning.adversarial_length is inf",
         [](auto* f) { f->set_adversarial_length(std::numeric_limits<float>::infinity()); });
  expect("fine_tuning.max_shift is 4294967295", [](auto* f) { f->set_max_shift(4294967295u); });
}

class FineTuneBaseTest : public testing::Test {
 protected:
  static v1::DatasetRef Reference() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(300);
    return reference;
  }
  FineTuneBaseTest() : data_(LoadDataset(Reference(), {{KWTA_TEST_DATA "/datasets"}}).value()) {
    v1::JobSpec spec;
    spec.set_model("base");
    spec.mutable_encoder()->mutable_k_sparse()->set_units(40);
    spec.mutable_encoder()->mutable_k_sparse()->set_k(5);
    spec.mutable_training()->set_epochs(20);
    spec.mutable_training()->set_batch_size(30);
    *spec.mutable_dataset() = Reference();
    EXPECT_TRUE(ResolveJobSpec(&spec).ok());
    base_ = Train(spec, data_, backend_, {}).value();
    spec_ = MinimalSpec();
    *spec_.mutable_dataset() = Reference();
    spec_.mutable_training()->set_epochs(3);
    spec_.mutable_training()->set_batch_size(30);
    spec_.mutable_fine_tuning()->set_classifier_epochs(2);
    EXPECT_TRUE(ResolveJobSpec(&spec_).ok());
    options_.report = [this](const v1::TrainingProgress& progress) { reports_.push_back(progress); };
  }
  absl::StatusOr<ModelBundle> Run() { return FineTuneBase(spec_, base_, data_, backend_, options_); }

  const Dataset data_;
  const std::shared_ptr<Backend> backend_ = CreateBackend("", {1}).value();
  const TemporaryDirectory directory_;
  ModelBundle base_;
  v1::JobSpec spec_;
  TrainerOptions options_;
  std::vector<v1::TrainingProgress> reports_;
};

TEST_F(FineTuneBaseTest, ReportsAndDescribesWhatItDid) {
  options_.report_seconds = 1e9;
  const ModelBundle tuned = Run().value();
  ASSERT_EQ(reports_.size(), 5u);
  for (uint32_t e = 0; e < 5; ++e) {
    const v1::TrainingProgress& progress = reports_[e];
    EXPECT_EQ(progress.epochs_done(), e + 1);
    EXPECT_EQ(progress.epochs(), 5u);
    EXPECT_EQ(progress.images_done(), 300 * (e + 1));
    EXPECT_GT(progress.images_per_second(), 0);
    EXPECT_EQ(progress.has_training_error(), e >= 2);
    EXPECT_EQ(progress.loss() > 0, e >= 2);
    EXPECT_EQ(progress.units(), 0u);
  }
  EXPECT_EQ(reports_[1].eta_seconds(), 0) << "the classifier's epochs say nothing about the others";
  EXPECT_GT(reports_[2].eta_seconds(), 0);
  EXPECT_GT(reports_[3].eta_seconds(), 0);
  EXPECT_EQ(reports_[4].eta_seconds(), 0);
  EXPECT_EQ(reports_[4].fraction(), 1);
  const v1::ModelDescription& description = tuned.description;
  EXPECT_EQ(description.name(), "tuned");
  EXPECT_EQ(description.training().SerializeAsString(), spec_.training().SerializeAsString());
  EXPECT_EQ(description.fine_tuning().SerializeAsString(), spec_.fine_tuning().SerializeAsString());
  EXPECT_EQ(description.encoder().SerializeAsString(), base_.description.encoder().SerializeAsString());
  EXPECT_EQ(description.statistics().training_error(), reports_[4].training_error());
  EXPECT_EQ(description.statistics().loss(), reports_[4].loss());
  EXPECT_EQ(description.statistics().training_rows(), 300u);
  EXPECT_EQ(description.statistics().fraction_variance_unexplained(), 0);
  EXPECT_LT(ClassificationError(tuned, data_, backend_).value(), 0.5);
}

TEST_F(FineTuneBaseTest, DoesWhatTheSpecSaysAndNothingElse) {
  const auto atoms = [](const ModelBundle& model) {
    const Tensor& tensor = model.tensors.at("atoms");
    return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  };
  const std::vector<float> plain = atoms(Run().value());
  EXPECT_EQ(atoms(Run().value()), plain);
  v1::FineTuningSpec changed[7];
  changed[0].set_classifier_epochs(3);
  changed[1].set_classifier_rate(0.2f);
  changed[2].set_encoder_l2(0.01f);
  changed[3].set_classifier_l2(0.01f);
  changed[4].set_code_dropout(0.2f);
  changed[5].set_adversarial_length(0.5f);
  changed[6].set_max_shift(1);
  const v1::JobSpec before = spec_;
  for (const v1::FineTuningSpec& change : changed) {
    spec_ = before;
    spec_.mutable_fine_tuning()->MergeFrom(change);
    EXPECT_NE(atoms(Run().value()), plain) << change.ShortDebugString();
  }
  spec_ = before;
  spec_.mutable_fine_tuning()->set_input_dropout(0.2f);
  EXPECT_NE(atoms(Run().value()), plain);
  for (const auto& change : std::vector<std::function<void(v1::TrainingSpec*)>>{
           [](auto* training) { training->set_seed(2); }, [](auto* training) { training->set_momentum(0.5f); },
           [](auto* training) { training->set_learning_rate(0.03f); }, [](auto* training) { training->set_epochs(4); },
           [](auto* training) { training->set_batch_size(31); }}) {
    spec_ = before;
    change(spec_.mutable_training());
    EXPECT_NE(atoms(Run().value()), plain) << spec_.training().ShortDebugString();
  }
}

TEST_F(FineTuneBaseTest, GoesOnFromItsCheckpointUnlessTheyAreOff) {
  options_.checkpoint_directory = directory_.path();
  options_.report_seconds = 0;
  std::atomic<bool> stop{false};
  options_.stop = &stop;
  options_.report = [&](const v1::TrainingProgress& progress) {
    reports_.push_back(progress);
    stop = progress.images_done() == 2 * 300 + 300 + 60;
  };
  ASSERT_EQ(Run().status().code(), absl::StatusCode::kCancelled);
  options_.stop = nullptr;
  reports_.clear();
  const ModelBundle tuned = Run().value();
  EXPECT_EQ(reports_.front().images_done(), 2 * 300 + 300 + 90u) << "the update after the last";
  EXPECT_GT(tuned.description.statistics().train_seconds(), 0);
  spec_.mutable_training()->set_checkpoint_epochs(0);
  reports_.clear();
  ASSERT_TRUE(Run().ok());
  EXPECT_EQ(reports_.front().images_done(), 300u);
}

TEST_F(FineTuneBaseTest, BoundsTheScoresOfABatch) {
  base_.description.set_code_width(1u << 20);
  spec_.mutable_training()->set_batch_size(2049);
  const absl::Status status = Run().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training.batch_size is 2049; expected 1 .. 2048"));
}

}  // namespace
}  // namespace kwta::fine_tuning_job_test
