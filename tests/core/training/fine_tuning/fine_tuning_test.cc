#include "core/training/fine_tuning/fine_tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/training/trainer.h"
#include "tests/temporary_directory.h"

namespace kwta::fine_tuning_test {
namespace {

using testing::HasSubstr;

// Small models of 600 real images, shared by the tests.
class FineTuningTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    reference.set_max_rows(600);
    data_ = new Dataset(LoadDataset(reference, {{KWTA_TEST_DATA "/datasets"}}).value());
    v1::JobSpec spec;
    spec.set_model("small");
    spec.mutable_encoder()->mutable_k_sparse()->set_units(50);
    spec.mutable_encoder()->mutable_k_sparse()->set_k(5);
    spec.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);
    spec.mutable_training()->set_epochs(3);
    spec.mutable_training()->set_learning_rate(0.003f);
    spec.mutable_preprocessing()->set_subtract_mean(true);
    *spec.mutable_dataset() = reference;
    ASSERT_TRUE(ResolveJobSpec(&spec).ok());
    const auto backend = CreateBackend("", {1}).value();
    shallow_ = new ModelBundle(Train(spec, *data_, backend, {}).value());
    spec.mutable_base()->set_model("small");
    spec.clear_preprocessing();
    ASSERT_TRUE(ResolveJobSpec(&spec).ok());
    deep_ = new ModelBundle(
        TrainOnBase(spec, Train(Shallow(spec), *data_, backend, {}).value(), *data_, backend, {}).value());
  }
  static void TearDownTestSuite() {
    delete deep_;
    delete shallow_;
    delete data_;
  }
  static v1::JobSpec Shallow(v1::JobSpec spec) {
    spec.clear_base();
    spec.mutable_preprocessing()->set_subtract_mean(true);
    EXPECT_TRUE(ResolveJobSpec(&spec).ok());
    return spec;
  }

  void SetUp() override {
    options_.epochs = 3;
    options_.batch_size = 50;
    options_.probe.epochs = options_.probe.schedule_epochs = 3;
  }

  absl::StatusOr<ModelBundle> Run(const ModelBundle& model, const FineTuningControl& control = {}, int threads = 1) {
    return FineTune(model, *data_, options_, CreateBackend("", {threads}).value(), control);
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
  void ExpectRefused(const std::string& text) {
    const absl::Status status = Run(*shallow_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  static Dataset* data_;
  static ModelBundle* shallow_;
  static ModelBundle* deep_;
  FineTuningOptions options_;
  const TemporaryDirectory directory_;
};

Dataset* FineTuningTest::data_ = nullptr;
ModelBundle* FineTuningTest::shallow_ = nullptr;
ModelBundle* FineTuningTest::deep_ = nullptr;

TEST_F(FineTuningTest, LearnsWhatAClassifierOnFixedCodesCannot) {
  options_.epochs = 1;
  options_.learning_rate = 1e-9;
  options_.classifier_rate = 1e-9;
  const double fixed = Error(Run(*shallow_).value());
  const double fixed_deep = Error(Run(*deep_).value());
  options_ = FineTuningOptions();
  options_.epochs = 20;
  options_.learning_rate = 0.05;
  options_.batch_size = 50;
  options_.probe.epochs = options_.probe.schedule_epochs = 3;
  EXPECT_LT(Error(Run(*shallow_).value()), 0.6 * fixed);
  EXPECT_LT(Error(Run(*deep_).value()), 0.6 * fixed_deep);
}

TEST_F(FineTuningTest, TrainsTheTopFirstThenAllAndKeepsTheRest) {
  std::vector<FineTuningProgress> reports;
  FineTuningControl control;
  control.watched = data_;
  control.watch_epochs = 2;
  control.report_seconds = 1e9;
  control.report = [&](const FineTuningProgress& progress) { reports.push_back(progress); };
  const ModelBundle tuned = Run(*deep_, control).value();
  ASSERT_EQ(reports.size(), 9u);
  for (int e = 0; e < 9; ++e) {
    EXPECT_EQ(reports[e].step, 1 + e / 3) << "1 is the classifier's";
    EXPECT_EQ(reports[e].steps, 3);
    EXPECT_EQ(reports[e].epochs_done, 1 + e % 3);
    EXPECT_EQ(reports[e].all_epochs_done, 1 + e);
    EXPECT_EQ(reports[e].all_epochs, 9);
    EXPECT_EQ(reports[e].rows_done, 600 * (1 + e));
    EXPECT_NEAR(reports[e].fraction, (1 + e) / 9.0, 1e-12);
    EXPECT_GT(reports[e].seconds, e == 0 ? 0 : reports[e - 1].seconds);
    EXPECT_EQ(reports[e].training_error >= 0, e >= 3);
    EXPECT_EQ(reports[e].watched_error >= 0, e >= 3 && e % 3 > 0) << "every second epoch and the last";
  }
  EXPECT_LT(reports[8].loss, reports[3].loss);
  EXPECT_EQ(reports[8].watched_error, Error(tuned));
  const auto before = Numbers(*deep_), after = Numbers(tuned);
  EXPECT_EQ(after.size(), before.size() + 2);
  for (const auto& [name, values] : before) {
    const bool moves = name.find("atoms") != std::string::npos || name.find(".bias") != std::string::npos;
    EXPECT_EQ(after.at(name) != values, moves) << name;
  }
  EXPECT_EQ(tuned.tensors.at("classifier.weights").shape(), (Shape{50, 10}));
  EXPECT_EQ(tuned.tensors.at("classifier.bias").shape(), (Shape{10}));
  EXPECT_EQ(tuned.description.encoder().SerializeAsString(), deep_->description.encoder().SerializeAsString());
}

TEST_F(FineTuningTest, DependsOnTheSeedAndNotOnTheThreads) {
  options_.input_dropout = 0.2;
  options_.code_dropout = 0.3;
  options_.adversarial_length = 0.5;
  options_.max_shift = 2;
  const auto one = Numbers(Run(*deep_).value());
  EXPECT_EQ(Numbers(Run(*deep_, {}, 3).value()), one);
  options_.seed = 2;
  EXPECT_NE(Numbers(Run(*deep_).value()), one);
}

TEST_F(FineTuningTest, ReportsWithinAnEpochWhatItHasSeen) {
  std::vector<FineTuningProgress> reports;
  FineTuningControl control;
  control.report_seconds = 0;
  control.report = [&](const FineTuningProgress& progress) { reports.push_back(progress); };
  options_.epochs = 1;
  ASSERT_TRUE(Run(*shallow_, control).ok());
  ASSERT_EQ(reports.size(), 3u + 12u) << "the classifier's epochs, and the batches";
  for (int batch = 1; batch <= 12; ++batch) {
    const FineTuningProgress& progress = reports[2 + batch];
    EXPECT_EQ(progress.rows_done, 3 * 600 + 50 * batch);
    EXPECT_NEAR(progress.fraction, progress.rows_done / 2400.0, 1e-12);
    EXPECT_NEAR(progress.training_error * 50 * batch, std::round(progress.training_error * 50 * batch), 1e-9);
    EXPECT_NEAR(progress.learning_rate, options_.learning_rate * (1 - batch / 12.0), 1e-12);
    EXPECT_EQ(progress.epochs_done, batch == 12);
  }
}

TEST_F(FineTuningTest, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  options_.code_dropout = 0.3;
  FineTuningControl control;
  control.report_seconds = 0;
  std::vector<FineTuningProgress> whole_reports;
  control.report = [&](const FineTuningProgress& progress) { whole_reports.push_back(progress); };
  const auto whole = Numbers(Run(*deep_, control).value());
  ASSERT_EQ(whole_reports.size(), 3u + 6u * 12u);
  // In the middle of an epoch, at the end of one, at the end of a step, and in the last epoch.
  for (const size_t stop_after : {3 + 5, 3 + 12, 3 + 36, 3 + 71}) {
    std::atomic<bool> stop{false};
    control.checkpoint_directory = directory_.path();
    control.checkpoint_epochs = 100;
    control.stop = &stop;
    size_t seen = 0;
    control.report = [&](const FineTuningProgress&) { stop = ++seen == stop_after; };
    const absl::Status status = Run(*deep_, control).status();
    ASSERT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("fine-tuning was stopped in epoch"));
    EXPECT_EQ(seen, stop_after);
    control.stop = nullptr;
    control.report = [&](const FineTuningProgress& progress) {
      ASSERT_LT(seen, whole_reports.size());
      EXPECT_EQ(progress.rows_done, whole_reports[seen].rows_done);
      EXPECT_EQ(progress.loss, whole_reports[seen].loss);
      EXPECT_EQ(progress.training_error, whole_reports[seen].training_error);
      ++seen;
    };
    EXPECT_EQ(Numbers(Run(*deep_, control).value()), whole) << stop_after;
    EXPECT_EQ(seen, whole_reports.size());
    directory_.Clear();
  }
}

TEST_F(FineTuningTest, StopsWithinTheClassifiersOwnEpochs) {
  std::atomic<bool> stop{true};
  FineTuningControl control;
  control.stop = &stop;
  const absl::Status status = Run(*shallow_, control).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(std::string(status.message()), HasSubstr("after epoch 1 of the classifier's own"));
}

TEST_F(FineTuningTest, SaysAtWhichRateItDiverged) {
  options_.learning_rate = 1e30;
  const absl::Status status = Run(*shallow_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("at a learning_rate of 1e+30 and a classifier_rate of 0.1"));
}

TEST_F(FineTuningTest, ACheckpointOfOtherOptionsOrADamagedOneIsNotUsed) {
  const auto whole = Numbers(Run(*shallow_).value());
  int epochs = 0;
  FineTuningControl control;
  control.checkpoint_directory = directory_.path();
  control.checkpoint_epochs = 1;
  control.report_seconds = 1e9;
  control.report = [&](const FineTuningProgress& progress) { epochs += progress.step > 1; };
  const auto expect_epochs = [&](int expected, const std::string& why) {
    epochs = 0;
    EXPECT_EQ(Numbers(Run(*shallow_, control).value()), whole) << why;
    EXPECT_EQ(epochs, expected) << why;
  };
  options_.seed = 5;
  ASSERT_TRUE(Run(*shallow_, control).ok());
  options_.seed = 1;
  expect_epochs(3, "another seed");
  expect_epochs(1, "its own, of all epochs but the last");
  const std::string path = directory_.File("fine_tuning.safetensors");
  const SafetensorsFile file = ReadSafetensors(path).value();
  for (const auto& [field, value] :
       std::map<std::string, std::string>{{"step", "1"}, {"epochs_done", "3"}, {"batches_done", "13"}, {"loss", "x"}}) {
    auto metadata = file.metadata;
    metadata[field] = value;
    ASSERT_TRUE(WriteSafetensors(path, file.tensors, metadata).ok());
    expect_epochs(3, field);
  }
  SafetensorsFile damaged = ReadSafetensors(path).value();
  damaged.tensors.erase("classifier");
  ASSERT_TRUE(WriteSafetensors(path, damaged.tensors, damaged.metadata).ok());
  expect_epochs(3, "no classifier");
  std::filesystem::resize_file(path, 20);
  expect_epochs(3, "cut short");
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
    ASSERT_TRUE(encoder->Encode(data_->row(i), 10, &codes).ok());
    std::vector<double> logits(bias, bias + 10);
    for (int64_t e = 0; e < 10; ++e) {
      for (int c = 0; c < 10; ++c) logits[c] += codes.values[e] * weights[codes.indices[e] * 10 + c];
    }
    wrong += std::max_element(logits.begin(), logits.end()) - logits.begin() != data_->label(i);
  }
  EXPECT_NEAR(Error(loaded), wrong / 600.0, 0.002);
}

TEST_F(FineTuningTest, SaysWhatIsWrong) {
  options_.epochs = 0;
  ExpectRefused("epochs 0");
  options_.epochs = 1;
  options_.code_dropout = 1;
  ExpectRefused("code_dropout 1");
  options_.code_dropout = 0;
  options_.momentum = -0.5;
  ExpectRefused("momentum -0.5");
  options_.momentum = 0.9;
  options_.adversarial_length = -1;
  ExpectRefused("adversarial_length -1");
  options_.adversarial_length = 0;
  const auto backend = CreateBackend("", {1}).value();
  auto rows = std::make_shared<Tensor>(DType::kU8, Shape{20, 784});
  const Dataset unlabelled(rows, rows->rows(), {784}, {0, 1}, {});
  absl::Status status = FineTune(*shallow_, unlabelled, options_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no labels"));
  std::vector<int32_t> labels(20, 1);
  const Dataset alike(rows, rows->rows(), {784}, {0, 1}, labels);
  status = FineTune(*shallow_, alike, options_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("all 2 rows of the data have the label 1"));
  labels[1] = 0;
  const Dataset flat(rows, rows->rows(), {784}, {0, 1}, labels);
  options_.max_shift = 1;
  status = FineTune(*shallow_, flat, options_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rows of shape [784] are no images"));
  options_.max_shift = 28;
  const Dataset images(rows, rows->rows(), {28, 28}, {0, 1}, labels);
  status = FineTune(*shallow_, images, options_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("images of shape [28, 28] leave a range of 0 .. 27"));
  const Dataset narrow(rows, {DType::kU8, rows->data(), 20, 28}, {28}, {0}, std::vector<int32_t>(20, 1));
  status = FineTune(*shallow_, narrow, options_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("width 28; the model reads rows of width 784"));
  status = ClassificationError(*shallow_, *data_, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"classifier.weights\""));
}

}  // namespace
}  // namespace kwta::fine_tuning_test
