// Winner-take-all encoders through the trainer, on real images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/activation_statistics.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/temporary_directory.h"

namespace kwta::winner_take_all_training_test {
namespace {

using testing::HasSubstr;

class WinnerTakeAllTraining : public testing::Test {
 protected:
  static v1::JobSpec Spec() {
    v1::JobSpec spec;
    spec.set_model("maps");
    v1::WinnerTakeAllSpec& encoder = *spec.mutable_encoder()->mutable_winner_take_all();
    encoder.set_maps(4);
    encoder.set_filter_size(5);
    spec.mutable_training()->set_epochs(4);
    spec.mutable_training()->set_batch_size(20);
    spec.mutable_training()->set_learning_rate(0.01f);
    spec.mutable_dataset()->set_name("fashion-mnist");
    spec.mutable_dataset()->set_max_rows(110);
    EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
    return spec;
  }

  static Dataset Data(const v1::JobSpec& spec) {
    return LoadDataset(spec.dataset(), {{KWTA_TEST_DATA "/datasets"}}).value();
  }
  static absl::StatusOr<ModelBundle> Run(const v1::JobSpec& spec, const TrainingControl& control = {},
                                         int threads = 1) {
    return RunJob(spec, std::nullopt, Data(spec), CreateBackend("", {threads}).value(), control);
  }

  static std::map<std::string, std::vector<float>> Numbers(const ModelBundle& bundle) {
    std::map<std::string, std::vector<float>> numbers;
    for (const auto& [name, tensor] : bundle.tensors) {
      numbers[name].assign(tensor.as<float>(), tensor.as<float>() + tensor.elements());
    }
    return numbers;
  }
};

TEST_F(WinnerTakeAllTraining, ResolvesTheEncodersOwnOptimiserAndSchedule) {
  v1::JobSpec spec = Spec();
  EXPECT_EQ(spec.training().optimiser(), v1::OPTIMISER_ADAM);
  EXPECT_EQ(spec.training().final_learning_rate(), 0);
  const std::string once = spec.SerializeAsString();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_EQ(spec.SerializeAsString(), once);
  spec.mutable_training()->set_optimiser(v1::OPTIMISER_SGD);
  spec.mutable_training()->clear_final_learning_rate();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_TRUE(spec.training().has_final_learning_rate());
  EXPECT_EQ(spec.training().final_learning_rate(), 0);
}

TEST_F(WinnerTakeAllTraining, TrainsTheSameWhereTheHostCannotTouchTheBackendsMemory) {
  const v1::JobSpec spec = Spec();
  const auto train = [&](const char* backend) {
    return RunJob(spec, std::nullopt, Data(spec), CreateAnyBackend(backend, {1}).value(), {});
  };
  const auto near = train("reference"), far = train("distant");
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ(Numbers(*near), Numbers(*far));
  EXPECT_EQ(near->description.statistics().loss(), far->description.statistics().loss());
}

TEST_F(WinnerTakeAllTraining, LearnsFromRealImagesAndDescribesTheModel) {
  std::vector<v1::TrainingProgress> epochs;
  TrainingControl control;
  control.report_seconds = 1e9;  // only the reports at the ends of epochs
  control.report = [&](const v1::TrainingProgress& progress) { epochs.push_back(progress); };
  const ModelBundle bundle = Run(Spec(), control).value();
  ASSERT_EQ(epochs.size(), 4u);
  EXPECT_LT(epochs.back().fraction_variance_unexplained(), 0.7 * epochs.front().fraction_variance_unexplained());
  EXPECT_EQ(epochs.back().k(), 4u);
  EXPECT_EQ(epochs.back().units(), 4u);
  EXPECT_EQ(epochs.back().learning_rate(), 0);
  const v1::ModelDescription& description = bundle.description;
  EXPECT_EQ(description.input_width(), 784u);
  EXPECT_EQ(description.code_width(), 4u * 10 * 10);
  EXPECT_EQ(description.encoder().winner_take_all().input().height(), 28u);
  EXPECT_FLOAT_EQ(description.encoder().winner_take_all().init_sigma(), 0.2f * 7 / 5);
  EXPECT_TRUE(CreateEncoder(bundle, CreateBackend("", {1}).value()).ok());
}

TEST_F(WinnerTakeAllTraining, TheEncoderOfTheBundleReconstructsAsWellAsTrainingSays) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_epochs(12);  // so that the last epoch's parameters hardly move
  spec.mutable_preprocessing()->set_subtract_mean(true);
  const ModelBundle bundle = Run(spec).value();
  const auto encoder = CreateEncoder(bundle, CreateBackend("", {1}).value()).value();
  const Dataset data = Data(spec);
  const Preprocessor preprocessor(spec.preprocessing(), {});
  UnexplainedVariance variance(784);
  std::vector<float> x(784), reconstruction(784);
  for (int64_t i = 0; i < data.rows(); ++i) {
    ASSERT_EQ(encoder->Reconstruct(data.row(i), encoder->code_width(), reconstruction.data()), absl::OkStatus());
    preprocessor.ToFloat(data.row(i), x.data());
    variance.Add(x.data(), reconstruction.data(), 1);
  }
  const double trained = bundle.description.statistics().fraction_variance_unexplained();
  EXPECT_NEAR(variance.Fraction(), trained, 0.05 * trained);
}

TEST_F(WinnerTakeAllTraining, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  for (const auto optimiser : {v1::OPTIMISER_ADAM, v1::OPTIMISER_SGD}) {
    v1::JobSpec spec = Spec();
    spec.mutable_training()->set_optimiser(optimiser);
    spec.mutable_training()->set_learning_rate(0.001f);
    const ModelBundle whole = Run(spec).value();
    const TemporaryDirectory directory;
    std::atomic<bool> stop{false};
    int reports = 15;  // an epoch has 6 updates
    TrainingControl control;
    control.checkpoint_directory = directory.path();
    control.report_seconds = 0;
    control.stop = &stop;
    control.report = [&](const v1::TrainingProgress&) { stop = --reports <= 0; };
    ASSERT_EQ(Run(spec, control).status().code(), absl::StatusCode::kCancelled);
    stop = false;
    uint64_t first_images = 0;
    control.report = [&](const v1::TrainingProgress& progress) {
      if (first_images == 0) first_images = progress.images_done();
    };
    const ModelBundle resumed = Run(spec, control, 2).value();
    EXPECT_EQ(first_images, 2u * 110 + 4 * 20);
    EXPECT_EQ(Numbers(resumed), Numbers(whole));
    EXPECT_EQ(resumed.description.statistics().loss(), whole.description.statistics().loss());
  }
}

TEST_F(WinnerTakeAllTraining, RefusesDataThatDoNotFitTheSpec) {
  v1::JobSpec spec = Spec();
  spec.mutable_encoder()->mutable_winner_take_all()->set_filter_size(29);
  absl::Status status = Run(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("encoder.winner_take_all.filter_size is 29; expected 1 .. 28, the smaller side of the image"));

  auto rows = std::make_shared<Tensor>(DType::kF32, Shape{60, 49});
  for (int64_t i = 0; i < rows->elements(); ++i) rows->as<float>()[i] = static_cast<float>(i % 7);
  const Dataset flat(rows, rows->rows(), {49}, std::vector<uint32_t>(60), {});
  spec = Spec();
  spec.mutable_encoder()->mutable_winner_take_all()->clear_input();
  status = RunJob(spec, std::nullopt, flat, CreateBackend("", {1}).value(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the smaller side of the image of 1x1x49; if rows of the data have no height and width"));
}

}  // namespace
}  // namespace kwta::winner_take_all_training_test
