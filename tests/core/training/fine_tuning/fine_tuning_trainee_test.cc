#include "core/training/fine_tuning/fine_tuning_trainee.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/stored_classifier.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/temporary_directory.h"

namespace kwta::fine_tuning_trainee_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Small models of 600 real images, shared by the tests.
class FineTuningTest : public testing::Test {
 protected:
  static v1::DatasetRef Reference() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(600);
    return reference;
  }
  static v1::JobSpec LayerJob() {
    v1::JobSpec spec;
    spec.set_model("small");
    spec.mutable_encoder()->mutable_k_sparse()->set_units(50);
    spec.mutable_encoder()->mutable_k_sparse()->set_k(5);
    spec.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);
    spec.mutable_training()->set_epochs(3);
    spec.mutable_training()->set_learning_rate(0.003f);
    *spec.mutable_dataset() = Reference();
    return spec;
  }
  static void SetUpTestSuite() {
    data_ = new Dataset(LoadDataset(Reference(), {{KWTA_TEST_DATA "/datasets"}}).value());
    const auto backend = CreateBackend("", {1}).value();
    v1::JobSpec lower = LayerJob();
    lower.mutable_preprocessing()->set_subtract_mean(true);
    ASSERT_TRUE(ResolveJobSpec(&lower).ok());
    shallow_ = new ModelBundle(RunJob(lower, std::nullopt, *data_, backend, {}).value());
    v1::JobSpec upper = LayerJob();
    upper.mutable_base()->set_model("small");
    ASSERT_TRUE(ResolveJobSpec(&upper).ok());
    deep_ = new ModelBundle(RunJob(upper, shallow_->Clone(), *data_, backend, {}).value());
  }
  static void TearDownTestSuite() {
    delete deep_;
    delete shallow_;
    delete data_;
  }

  void SetUp() override {
    spec_.set_model("tuned");
    spec_.mutable_base()->set_model("small");
    spec_.mutable_fine_tuning()->set_classifier_epochs(3);
    training().set_epochs(3);
    training().set_batch_size(50);
    *spec_.mutable_dataset() = Reference();
    ASSERT_TRUE(ResolveJobSpec(&spec_).ok());
    control_.report_seconds = 0;
    control_.report = [this](const v1::TrainingProgress& progress) { reports_.push_back(progress); };
  }

  v1::TrainingSpec& training() { return *spec_.mutable_training(); }
  v1::FineTuningSpec& tuning() { return *spec_.mutable_fine_tuning(); }
  absl::StatusOr<ModelBundle> Run(const ModelBundle& model, int threads = 1) {
    reports_.clear();
    return RunJob(spec_, model.Clone(), *data_, CreateBackend("", {threads}).value(), control_);
  }
  static double Error(const ModelBundle& model) {
    return ClassificationError(model, *data_, CreateBackend("", {1}).value()).value();
  }
  static std::map<std::string, std::vector<float>> Numbers(const ModelBundle& bundle) {
    std::map<std::string, std::vector<float>> numbers;
    for (const auto& [name, tensor] : bundle.tensors) {
      numbers[name].assign(tensor.as<float>(), tensor.as<float>() + tensor.elements());
    }
    return numbers;
  }
  std::string CheckpointPath() const { return directory_.File("checkpoint.safetensors"); }
  void ExpectRefused(const ModelBundle& model, const Dataset& data, const std::string& text) {
    const absl::Status status = RunJob(spec_, model.Clone(), data, CreateBackend("", {1}).value(), {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  static Dataset* data_;
  static ModelBundle* shallow_;
  static ModelBundle* deep_;
  const TemporaryDirectory directory_;
  v1::JobSpec spec_;
  TrainingControl control_;
  std::vector<v1::TrainingProgress> reports_;  // of the last Run
};

Dataset* FineTuningTest::data_ = nullptr;
ModelBundle* FineTuningTest::shallow_ = nullptr;
ModelBundle* FineTuningTest::deep_ = nullptr;

TEST_F(FineTuningTest, LearnsWhatAClassifierOnFixedCodesCannot) {
  training().set_epochs(1);
  training().set_learning_rate(1e-9f);
  tuning().set_classifier_rate(1e-9f);
  const double fixed = Error(Run(*shallow_).value());
  const double fixed_deep = Error(Run(*deep_).value());
  training().set_epochs(20);
  training().set_learning_rate(0.05f);
  tuning().set_classifier_rate(0.1f);
  EXPECT_LT(Error(Run(*shallow_).value()), 0.6 * fixed);
  EXPECT_LT(Error(Run(*deep_).value()), 0.6 * fixed_deep);
}

TEST_F(FineTuningTest, TrainsTheTopFirstThenAllAndKeepsTheRest) {
  control_.report_seconds = 1e9;
  // The middle of the run: the top layer has been trained, the one below has not.
  std::atomic<bool> stop{false};
  control_.stop = &stop;
  control_.checkpoint_directory = directory_.path();
  control_.report = [&](const v1::TrainingProgress& progress) {
    reports_.push_back(progress);
    stop = progress.epochs_done() == 6;
  };
  const auto before = Numbers(*deep_);
  ASSERT_EQ(Run(*deep_).status().code(), absl::StatusCode::kCancelled);
  const TensorMap half = ReadSafetensors(CheckpointPath()).value().tensors;
  const auto numbers = [&](const std::string& name) {
    const Tensor& tensor = half.at("learner." + name);
    return std::vector<float>(tensor.as<float>(), tensor.as<float>() + tensor.elements());
  };
  EXPECT_EQ(numbers("layers.0.atoms"), before.at("layers.0.atoms"));
  EXPECT_NE(numbers("layers.1.atoms"), before.at("layers.1.atoms"));

  stop = false;
  const ModelBundle tuned = Run(*deep_).value();
  ASSERT_EQ(reports_.size(), 3u);
  EXPECT_EQ(reports_.back().epochs_done(), 9u);
  const auto after = Numbers(tuned);
  EXPECT_EQ(after.size(), before.size() + 2);
  for (const auto& [name, values] : before) {
    const bool moves = name.find("atoms") != std::string::npos || name.find(".bias") != std::string::npos;
    EXPECT_EQ(after.at(name) != values, moves) << name;
  }
  EXPECT_EQ(tuned.tensors.at("classifier.weights").shape(), (Shape{50, 10}));
  EXPECT_EQ(tuned.tensors.at("classifier.bias").shape(), (Shape{10}));
}

TEST_F(FineTuningTest, ReportsAndDescribesWhatItDid) {
  control_.report_seconds = 1e9;
  const ModelBundle tuned = Run(*deep_).value();
  ASSERT_EQ(reports_.size(), 9u) << "three epochs of the classifier's own, then three of each layer";
  for (uint32_t e = 0; e < 9; ++e) {
    const v1::TrainingProgress& progress = reports_[e];
    EXPECT_EQ(progress.epochs_done(), e + 1);
    EXPECT_EQ(progress.epochs(), 9u);
    EXPECT_EQ(progress.images_done(), 600 * (e + 1));
    EXPECT_NEAR(progress.fraction(), (1 + e) / 9.0, 1e-12);
    EXPECT_GT(progress.images_per_second(), 0);
    EXPECT_EQ(progress.has_training_error(), e >= 3);
    EXPECT_EQ(progress.loss() > 0, e >= 3);
    EXPECT_EQ(progress.learning_rate() > 0, e >= 3);
    EXPECT_EQ(progress.units(), 0u);
    EXPECT_EQ(progress.eta_seconds() > 0, e >= 3 && e < 8) << "the classifier's epochs say nothing about the others";
  }
  EXPECT_LT(reports_[8].loss(), reports_[3].loss());
  const v1::ModelDescription& description = tuned.description;
  EXPECT_EQ(description.name(), "tuned");
  EXPECT_EQ(description.training().SerializeAsString(), spec_.training().SerializeAsString());
  v1::FineTuningSpec resolved = spec_.fine_tuning();
  resolved.set_input_dropout(0);  // what the model was trained with
  resolved.set_code_dropout(0);
  EXPECT_EQ(description.fine_tuning().SerializeAsString(), resolved.SerializeAsString());
  EXPECT_EQ(description.dataset().SerializeAsString(), spec_.dataset().SerializeAsString());
  EXPECT_EQ(description.encoder().SerializeAsString(), deep_->description.encoder().SerializeAsString());
  EXPECT_EQ(description.backend(), CreateBackend("", {1}).value()->name());
  const v1::TrainingStatistics& statistics = description.statistics();
  EXPECT_EQ(statistics.training_error(), reports_[8].training_error());
  EXPECT_EQ(statistics.loss(), reports_[8].loss());
  EXPECT_EQ(statistics.training_rows(), 600u);
  EXPECT_EQ(statistics.fraction_variance_unexplained(), 0);
  EXPECT_GT(statistics.images_per_second(), 0);
  EXPECT_NEAR(Error(tuned), statistics.training_error(), 0.1) << "which was taken as the rows went by";
}

TEST_F(FineTuningTest, DependsOnTheSeedAndNotOnTheThreads) {
  tuning().set_input_dropout(0.2f);
  tuning().set_code_dropout(0.3f);
  tuning().set_adversarial_length(0.5f);
  tuning().set_max_shift(2);
  const auto one = Numbers(Run(*deep_).value());
  EXPECT_EQ(Numbers(Run(*deep_, 3).value()), one);
  training().set_seed(2);
  EXPECT_NE(Numbers(Run(*deep_).value()), one);
}

TEST_F(FineTuningTest, DoesWhatTheSpecSaysAndNothingElse) {
  training().set_epochs(1);
  const auto plain = Numbers(Run(*shallow_).value());
  EXPECT_EQ(Numbers(Run(*shallow_).value()), plain);
  const v1::JobSpec before = spec_;
  const std::vector<std::function<void()>> changes = {[&] { tuning().set_classifier_epochs(4); },
                                                      [&] { tuning().set_classifier_rate(0.2f); },
                                                      [&] { tuning().set_encoder_l2(0.01f); },
                                                      [&] { tuning().set_classifier_l2(0.01f); },
                                                      [&] { tuning().set_input_dropout(0.2f); },
                                                      [&] { tuning().set_code_dropout(0.2f); },
                                                      [&] { tuning().set_adversarial_length(0.5f); },
                                                      [&] { tuning().set_max_shift(1); },
                                                      [&] { training().set_seed(2); },
                                                      [&] { training().set_momentum(0.5f); },
                                                      [&] { training().set_learning_rate(0.03f); },
                                                      [&] { training().set_epochs(2); },
                                                      [&] { training().set_batch_size(31); }};
  for (size_t i = 0; i < changes.size(); ++i) {
    spec_ = before;
    changes[i]();
    EXPECT_NE(Numbers(Run(*shallow_).value()).at("atoms"), plain.at("atoms")) << "change " << i;
  }
}

TEST_F(FineTuningTest, ReportsWithinAnEpochWhatItHasSeen) {
  training().set_epochs(1);
  ASSERT_TRUE(Run(*shallow_).ok());
  ASSERT_EQ(reports_.size(), 3u + 12u) << "the classifier's epochs, and the batches";
  for (int batch = 1; batch <= 12; ++batch) {
    const v1::TrainingProgress& progress = reports_[2 + batch];
    EXPECT_EQ(progress.images_done(), 3u * 600 + 50 * batch);
    EXPECT_NEAR(progress.fraction(), static_cast<double>(progress.images_done()) / 2400, 1e-12);
    EXPECT_NEAR(progress.training_error() * 50 * batch, std::round(progress.training_error() * 50 * batch), 1e-9);
    EXPECT_NEAR(progress.learning_rate(), training().learning_rate() * (1 - (batch - 1) / 12.0), 1e-12);
    EXPECT_EQ(progress.epochs_done(), 3u + (batch == 12));
  }
}

TEST_F(FineTuningTest, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  tuning().set_code_dropout(0.3f);
  const auto whole = Numbers(Run(*deep_).value());
  const std::vector<v1::TrainingProgress> whole_reports = reports_;
  ASSERT_EQ(whole_reports.size(), 3u + 6u * 12u);
  training().set_checkpoint_epochs(100);
  control_.checkpoint_directory = directory_.path();
  std::atomic<bool> stop{false};
  control_.stop = &stop;
  // Before the first update, in the middle of an epoch, at the end of one, at the end of a step, in the last epoch.
  for (const size_t stop_after : {3, 3 + 5, 3 + 12, 3 + 36, 3 + 71}) {
    directory_.Clear();
    control_.report = [&](const v1::TrainingProgress& progress) {
      reports_.push_back(progress);
      stop = reports_.size() == stop_after;
    };
    const absl::Status status = Run(*deep_).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("training was stopped in epoch"));
    EXPECT_EQ(reports_.size(), stop_after);
    stop = false;
    control_.report = [&](const v1::TrainingProgress& progress) { reports_.push_back(progress); };
    EXPECT_EQ(Numbers(Run(*deep_).value()), whole) << stop_after;
    ASSERT_EQ(reports_.size(), whole_reports.size() - stop_after) << "it did not start again";
    for (size_t i = 0; i < reports_.size(); ++i) {
      EXPECT_EQ(reports_[i].images_done(), whole_reports[stop_after + i].images_done());
      EXPECT_EQ(reports_[i].loss(), whole_reports[stop_after + i].loss());
      EXPECT_EQ(reports_[i].training_error(), whole_reports[stop_after + i].training_error());
      EXPECT_THAT(reports_[i].warnings(), ElementsAre());
    }
  }
}

TEST_F(FineTuningTest, StopsWithinTheClassifiersOwnEpochs) {
  std::atomic<bool> stop{true};
  control_.stop = &stop;
  const absl::Status status = Run(*shallow_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(status.message()), HasSubstr("after epoch 1 of the 3 that come before its checkpoints"));
}

TEST_F(FineTuningTest, SaysWhereItDiverged) {
  training().set_learning_rate(1e30f);
  const absl::Status status = Run(*shallow_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("fine-tuning has diverged"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("in epoch 1 of 3 of step 2, update "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("lower training.learning_rate from 1e+30 or "
                                                       "fine_tuning.classifier_rate from 0.1 (a tenth is"));
}

TEST_F(FineTuningTest, ACheckpointOfAnotherSpecOrADamagedOneIsNotUsedAndSaidSo) {
  const auto whole = Numbers(Run(*shallow_).value());
  control_.checkpoint_directory = directory_.path();
  control_.report_seconds = 1e9;
  const auto expect_anew = [&](const std::string& why) {
    EXPECT_EQ(Numbers(Run(*shallow_).value()), whole) << why;
    ASSERT_EQ(reports_.size(), 3u + 3u) << why;
    for (const v1::TrainingProgress& progress : reports_) {
      EXPECT_THAT(progress.warnings(), ElementsAre(HasSubstr("training starts anew: ")));
      EXPECT_THAT(progress.warnings(), ElementsAre(HasSubstr(why)));
    }
  };
  training().set_seed(5);
  ASSERT_TRUE(Run(*shallow_).ok());
  training().set_seed(1);
  expect_anew("is of another spec or other data");
  EXPECT_EQ(Numbers(Run(*shallow_).value()), whole);
  EXPECT_EQ(reports_.size(), 0u) << "its own, which is finished";

  const SafetensorsFile file = ReadSafetensors(CheckpointPath()).value();
  for (const auto& [field, value] : std::map<std::string, std::string>{{"epochs_done", "4"}, {"batches_done", "13"}}) {
    auto metadata = file.metadata;
    metadata[field] = value;
    ASSERT_TRUE(WriteSafetensors(CheckpointPath(), file.tensors, metadata).ok());
    expect_anew("stands where this training never does");
  }
  SafetensorsFile damaged = ReadSafetensors(CheckpointPath()).value();
  damaged.tensors.erase("learner.classifier");
  ASSERT_TRUE(WriteSafetensors(CheckpointPath(), damaged.tensors, damaged.metadata).ok());
  expect_anew("the state has no tensor \"classifier\"");
  // Under the name that the checkpoints of fine-tuning once had.
  std::filesystem::rename(CheckpointPath(), directory_.File("fine_tuning.safetensors"));
  expect_anew("is of an older version");
}

TEST_F(FineTuningTest, WritesNoCheckpointsWhenTheyAreOff) {
  control_.checkpoint_directory = directory_.path();
  training().set_checkpoint_epochs(0);
  ASSERT_TRUE(Run(*shallow_).ok());
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(FineTuningTest, TheBundleClassifiesTheSameWhenItWasSavedAndLoaded) {
  const ModelBundle tuned = Run(*shallow_).value();
  ASSERT_TRUE(WriteModelBundle(directory_.File("bundle"), tuned).ok());
  const ModelBundle loaded = ReadModelBundle(directory_.File("bundle")).value();
  EXPECT_EQ(Numbers(loaded), Numbers(tuned));
  // By hand, from the file's own numbers.
  const auto encoder = CreateEncoder(loaded, CreateBackend("", {1}).value()).value();
  const float* weights = loaded.tensors.at("classifier.weights").as<float>();
  const float* bias = loaded.tensors.at("classifier.bias").as<float>();
  int wrong = 0;
  for (int64_t i = 0; i < data_->rows(); ++i) {
    SparseCodes codes;
    ASSERT_TRUE(encoder->EncodeSparse(data_->row(i), 10, &codes).ok());
    std::vector<double> logits(bias, bias + 10);
    for (int64_t e = 0; e < 10; ++e) {
      for (int c = 0; c < 10; ++c) logits[c] += codes.values[e] * weights[codes.indices[e] * 10 + c];
    }
    wrong += std::max_element(logits.begin(), logits.end()) - logits.begin() != data_->label(i);
  }
  EXPECT_NEAR(Error(loaded), wrong / 600.0, 0.002);
}

TEST_F(FineTuningTest, RefusesRowsAndModelsThatCannotBeTuned) {
  auto rows = std::make_shared<Tensor>(DType::kU8, Shape{20, 784});
  ExpectRefused(*shallow_, {rows, rows->rows(), {784}, {0, 1}, {}}, "no labels");
  std::vector<int32_t> labels(20, 1);
  ExpectRefused(*shallow_, {rows, rows->rows(), {784}, {0, 1}, labels}, "all 2 rows of the data have the label 1");
  labels[1] = 0;
  tuning().set_max_shift(1);
  ExpectRefused(*shallow_, {rows, rows->rows(), {784}, {0, 1}, labels}, "rows of shape [784] are no images");
  tuning().set_max_shift(28);
  ExpectRefused(*shallow_, {rows, rows->rows(), {28, 28}, {0, 1}, labels},
                "images of shape [28, 28] leave a range of 0 .. 27");
  ExpectRefused(*shallow_, {rows, {DType::kU8, rows->data(), 20, 28}, {28}, {0}, labels},
                "width 28; the model reads rows of width 784");
  ModelBundle wide = shallow_->Clone();
  wide.description.set_code_width(1u << 20);
  training().set_batch_size(2049);
  ExpectRefused(wide, *data_, "training.batch_size is 2049; expected 1 .. 2048");
  wide.description.mutable_encoder()->mutable_winner_take_all();
  ExpectRefused(wide, *data_, "only k-sparse, regularised, dropout, rbm layers can be fine-tuned");
}

}  // namespace
}  // namespace kwta::fine_tuning_trainee_test
