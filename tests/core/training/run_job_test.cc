#include "core/training/run_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>

#include "absl/strings/str_join.h"
#include "core/backends/backend_registry.h"
#include "core/base/cpu.h"
#include "core/encoders/encoder_registry.h"
#include "core/evaluation/activation_statistics.h"
#include "core/io/arrays/npy.h"
#include "core/io/arrays/safetensors.h"
#include "core/training/job_spec.h"
#include "tests/core/backends/distant_backend.h"
#include "tests/temporary_directory.h"

namespace kwta::run_job_test {
namespace {

using testing::HasSubstr;

// 2,000 real images, and a job that learns from them in well under a second.
class RunJobTest : public testing::Test {
 protected:
  RunJobTest() : data_(LoadDataset(Reference(), {{KWTA_TEST_DATA "/datasets"}}).value()) {}

  static v1::DatasetRef Reference() {
    v1::DatasetRef reference;
    reference.set_name("fashion-mnist");
    return reference;
  }

  static v1::JobSpec Spec() {
    v1::JobSpec spec;
    spec.set_model("small");
    v1::KSparseSpec& encoder = *spec.mutable_encoder()->mutable_k_sparse();
    encoder.set_units(60);
    encoder.set_k(6);
    v1::TrainingSpec& training = *spec.mutable_training();
    training.set_epochs(4);
    training.set_batch_size(64);  // the last batch of an epoch has 16 rows
    training.set_learning_rate(0.004f);
    training.set_final_learning_rate(0.001f);
    *spec.mutable_dataset() = Reference();
    spec.mutable_preprocessing()->set_subtract_mean(true);
    EXPECT_TRUE(ResolveJobSpec(&spec).ok());
    return spec;
  }

  absl::StatusOr<ModelBundle> Run(const v1::JobSpec& spec, const TrainingControl& control = {}, int threads = 1) {
    return RunJob(spec, std::nullopt, data_, CreateBackend("", {threads}).value(), control);
  }

  // Trains with checkpoints and is stopped at report number `reports`, of which there is one after each update.
  absl::Status RunInterrupted(const v1::JobSpec& spec, int reports) {
    std::atomic<bool> stop{false};
    TrainingControl control = WithCheckpoints();
    control.report_seconds = 0;
    control.stop = &stop;
    control.report = [&](const v1::TrainingProgress&) { stop = --reports <= 0; };
    return Run(spec, control).status();
  }
  TrainingControl WithCheckpoints() const {
    TrainingControl control;
    control.checkpoint_directory = directory_.path();
    return control;
  }

  static std::map<std::string, std::vector<float>> Numbers(const ModelBundle& bundle) {
    std::map<std::string, std::vector<float>> numbers;
    for (const auto& [name, tensor] : bundle.tensors) {
      numbers[name].assign(tensor.as<float>(), tensor.as<float>() + tensor.elements());
    }
    return numbers;
  }

  const Dataset data_;
  const TemporaryDirectory directory_;
};

TEST_F(RunJobTest, TrainsTheSameWhereTheHostCannotTouchTheBackendsMemory) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_epochs(2);
  v1::KSparseSpec& encoder = *spec.mutable_encoder()->mutable_k_sparse();
  encoder.set_auxiliary_k(5);
  encoder.set_auxiliary_weight(0.1f);
  encoder.set_dead_after_rows(200);
  std::vector<ModelBundle> bundles;
  std::vector<std::vector<double>> losses;
  for (const char* backend : {"reference", "distant"}) {
    losses.emplace_back();
    TrainingControl control;
    control.report_seconds = 0;
    control.report = [&](const v1::TrainingProgress& progress) { losses.back().push_back(progress.loss()); };
    auto bundle = RunJob(spec, std::nullopt, data_, CreateAnyBackend(backend, {1}).value(), control);
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    bundles.push_back(*std::move(bundle));
  }
  EXPECT_EQ(losses[0].size(), 64u);
  EXPECT_EQ(losses[0], losses[1]);
  EXPECT_EQ(Numbers(bundles[0]), Numbers(bundles[1]));
  EXPECT_EQ(bundles[0].description.statistics().dead_units(), bundles[1].description.statistics().dead_units());
}

// However seldom one looks at what the updates did.
TEST_F(RunJobTest, ReportsSayTheSameHoweverOftenThereIsOne) {
  std::vector<std::vector<double>> of_epochs;
  for (const double seconds : {0.0, 1e9}) {
    of_epochs.emplace_back();
    TrainingControl control;
    control.report_seconds = seconds;
    control.report = [&](const v1::TrainingProgress& progress) {
      if (progress.images_done() % 2000 != 0) return;
      of_epochs.back().push_back(progress.loss());
      of_epochs.back().push_back(progress.dead_units());
    };
    ASSERT_TRUE(Run(Spec(), control).ok());
  }
  EXPECT_EQ(of_epochs[0].size(), 8u);
  EXPECT_EQ(of_epochs[0], of_epochs[1]);
}

TEST_F(RunJobTest, LearnsFromRealImages) {
  std::vector<v1::TrainingProgress> epochs;
  TrainingControl control;
  control.report_seconds = 1e9;  // only the reports at the ends of epochs
  control.report = [&](const v1::TrainingProgress& progress) { epochs.push_back(progress); };
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_epochs(8);
  const ModelBundle bundle = Run(spec, control).value();

  ASSERT_EQ(epochs.size(), 8u);
  EXPECT_LT(epochs.back().loss(), 0.5 * epochs.front().loss());
  EXPECT_LT(epochs.back().fraction_variance_unexplained(), 0.45);
  const int64_t k[] = {24, 20, 15, 11, 6, 6, 6, 6};  // from 4k to k over half of the epochs
  for (uint32_t e = 0; e < 8; ++e) {
    EXPECT_EQ(epochs[e].epochs_done(), e + 1);
    EXPECT_EQ(epochs[e].epochs(), 8u);
    EXPECT_EQ(epochs[e].k(), k[e]);
    EXPECT_EQ(epochs[e].images_done(), 2000 * (e + 1));
    EXPECT_NEAR(epochs[e].fraction(), (e + 1) / 8.0, 1e-12);
    EXPECT_EQ(epochs[e].units(), 60u);
    EXPECT_EQ(epochs[e].dead_window_rows(), 2000u);
    EXPECT_GT(epochs[e].images_per_second(), 0);
    EXPECT_GE(epochs[e].eta_seconds(), 0);
    EXPECT_GT(epochs[e].gradient_norm(), 0) << "the first update is measured";
    EXPECT_TRUE(epochs[e].has_seconds_since_checkpoint());
    EXPECT_EQ(epochs[e].threads(), static_cast<uint32_t>(AvailableProcessors()));  // the spec names no number
    EXPECT_TRUE(!epochs[e].has_processor_share() ||
                (epochs[e].processor_share() > 0 && epochs[e].processor_share() <= 1));
  }
  EXPECT_FLOAT_EQ(epochs.front().learning_rate(), 0.004f);
  EXPECT_FLOAT_EQ(epochs.back().learning_rate(), 0.001f);
  EXPECT_EQ(epochs.back().eta_seconds(), 0);

  const v1::ModelDescription& description = bundle.description;
  EXPECT_EQ(description.format(), 1u);
  EXPECT_EQ(description.name(), "small");
  EXPECT_EQ(description.input_width(), 784u);
  EXPECT_EQ(description.code_width(), 60u);
  EXPECT_EQ(description.training().epochs(), 8u);
  EXPECT_EQ(description.dataset().name(), "fashion-mnist");
  EXPECT_EQ(description.backend(), CreateBackend("", {1}).value()->name());
  const v1::TrainingStatistics& statistics = description.statistics();
  EXPECT_EQ(statistics.loss(), epochs.back().loss());
  EXPECT_NEAR(statistics.fraction_variance_unexplained(), epochs.back().fraction_variance_unexplained(), 1e-12);
  EXPECT_EQ(statistics.dead_units(), epochs.back().dead_units());
  EXPECT_EQ(statistics.dead_window_rows(), 2000u);
  EXPECT_EQ(statistics.training_rows(), 2000u);
  EXPECT_GT(statistics.train_seconds(), 0);
}

TEST_F(RunJobTest, TheEncoderOfTheBundleReconstructsAsWellAsTrainingSays) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_final_learning_rate(0);  // so that the last epoch's parameters hardly move
  spec.mutable_training()->set_epochs(20);
  const ModelBundle bundle = Run(spec).value();
  ASSERT_EQ(bundle.tensors.count("mean"), 1u);
  const auto encoder = CreateEncoder(bundle, CreateBackend("", {1}).value()).value();
  Preprocessor preprocessor(spec.preprocessing(), {});
  UnexplainedVariance variance(784);
  std::vector<float> x(784), reconstruction(784);
  for (int64_t i = 0; i < data_.rows(); ++i) {
    SparseCodes codes;
    ASSERT_TRUE(encoder->EncodeSparse(data_.row(i), encoder->ResolveK({}).value(), &codes).ok());
    ASSERT_TRUE(encoder->Decode(codes, reconstruction.data()).ok());
    preprocessor.ToFloat(data_.row(i), x.data());
    variance.Add(x.data(), reconstruction.data(), 1);
  }
  const double trained = bundle.description.statistics().fraction_variance_unexplained();
  EXPECT_NEAR(variance.Fraction(), trained, 0.03 * trained);
}

TEST_F(RunJobTest, IsAFunctionOfTheSeed) {
  v1::JobSpec spec = Spec();
  const auto first = Numbers(Run(spec).value());
  EXPECT_EQ(first, Numbers(Run(spec).value()));
  spec.mutable_training()->set_seed(2);
  EXPECT_NE(first, Numbers(Run(spec).value()));
}

TEST_F(RunJobTest, DoesNotDependOnTheNumberOfThreads) {
  const auto one = Numbers(Run(Spec(), {}, 1).value());
  EXPECT_EQ(one, Numbers(Run(Spec(), {}, 2).value()));
  EXPECT_EQ(one, Numbers(Run(Spec(), {}, 3).value()));
}

TEST_F(RunJobTest, GoesOnAfterAnInterruptionAsIfThereHadBeenNone) {
  // An epoch has 32 updates: stops in the middle, and right before and after the end of an epoch.
  const ModelBundle whole = Run(Spec()).value();
  for (const int reports : {5, 31, 32, 40, 127}) {
    directory_.Clear();
    const absl::Status stopped = RunInterrupted(Spec(), reports);
    ASSERT_EQ(stopped.code(), absl::StatusCode::kCancelled) << reports;
    EXPECT_THAT(std::string(stopped.message()), HasSubstr("training was stopped in epoch "));
    std::vector<uint64_t> images;
    TrainingControl control = WithCheckpoints();
    control.report_seconds = 0;
    control.report = [&](const v1::TrainingProgress& progress) { images.push_back(progress.images_done()); };
    const ModelBundle resumed = Run(Spec(), control).value();
    EXPECT_EQ(Numbers(resumed), Numbers(whole)) << reports;
    // It did go on, at the very next update, and did not start again.
    EXPECT_EQ(images.front(), reports / 32 * 2000 + std::min(2000, (reports % 32 + 1) * 64)) << reports;
    const v1::TrainingStatistics& statistics = resumed.description.statistics();
    EXPECT_EQ(statistics.loss(), whole.description.statistics().loss());
    EXPECT_EQ(statistics.dead_units(), whole.description.statistics().dead_units());
  }
}

TEST_F(RunJobTest, AFinishedCheckpointGivesTheModelAtOnce) {
  const ModelBundle first = Run(Spec(), WithCheckpoints()).value();
  TrainingControl control = WithCheckpoints();
  int reports = 0;
  control.report = [&](const v1::TrainingProgress&) { ++reports; };
  const ModelBundle second = Run(Spec(), control).value();
  EXPECT_EQ(reports, 0);
  EXPECT_EQ(Numbers(first), Numbers(second));
  EXPECT_EQ(first.description.statistics().loss(), second.description.statistics().loss());
}

TEST_F(RunJobTest, IgnoresCheckpointsOfOtherJobsAndDamagedOnes) {
  v1::JobSpec other = Spec();
  other.mutable_training()->set_seed(9);
  ASSERT_EQ(RunInterrupted(other, 40).code(), absl::StatusCode::kCancelled);
  const auto whole = Numbers(Run(Spec()).value());
  TrainingControl control = WithCheckpoints();
  std::vector<v1::TrainingProgress> reports;
  control.report = [&](const v1::TrainingProgress& progress) { reports.push_back(progress); };
  EXPECT_EQ(Numbers(Run(Spec(), control).value()), whole);
  for (const v1::TrainingProgress& progress : reports) {
    EXPECT_THAT(progress.warnings(), testing::ElementsAre(HasSubstr("training starts anew: the checkpoint ")));
  }

  // Tensors that are missing inside a checkpoint whose header is sound.
  ASSERT_EQ(RunInterrupted(other, 40).code(), absl::StatusCode::kCancelled);
  const std::string path = directory_.File("checkpoint.safetensors");
  SafetensorsFile file = ReadSafetensors(path).value();
  file.tensors.erase("learner.velocity.decoder_bias");
  ASSERT_TRUE(WriteSafetensors(path, file.tensors, file.metadata).ok());
  EXPECT_EQ(Numbers(Run(other, WithCheckpoints()).value()), Numbers(Run(other).value()));
}

TEST_F(RunJobTest, ThreadsAndCheckpointIntervalsMayChangeBetweenRuns) {
  ASSERT_EQ(RunInterrupted(Spec(), 40).code(), absl::StatusCode::kCancelled);
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_threads(2);
  spec.mutable_training()->set_checkpoint_epochs(3);
  TrainingControl control = WithCheckpoints();
  uint64_t first_images = 0;
  control.report_seconds = 0;
  control.report = [&](const v1::TrainingProgress& progress) {
    if (first_images == 0) first_images = progress.images_done();
  };
  EXPECT_EQ(Numbers(Run(spec, control, 2).value()), Numbers(Run(Spec()).value()));
  EXPECT_EQ(first_images, 2000u + 9 * 64);
}

TEST_F(RunJobTest, WritesNoCheckpointsWhenTheyAreOff) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_checkpoint_epochs(0);
  ASSERT_EQ(RunInterrupted(spec, 40).code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

TEST_F(RunJobTest, FailsIfItCannotWriteItsCheckpoint) {
  TrainingControl control;
  control.checkpoint_directory = directory_.File("missing");
  EXPECT_EQ(Run(Spec(), control).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(RunJobTest, ReportsDivergence) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_learning_rate(1e4f);
  const absl::Status status = Run(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("training has diverged: the squared error of a batch is not "
                                                       "finite, in epoch 1 of 4, update "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(" of 32, at a learning rate of 10000; lower "
                                                       "training.learning_rate from 10000 (a tenth"));
  v1::RegularisedSpec& regularised = *spec.mutable_encoder()->mutable_regularised();
  regularised.set_units(16);
  regularised.set_activation(v1::ACTIVATION_SOFTPLUS);
  regularised.set_unit_length(false);
  regularised.set_contraction(1e6f);
  spec.mutable_training()->set_learning_rate(0.001f);
  EXPECT_THAT(
      std::string(Run(spec).status().message()),
      HasSubstr("lower training.learning_rate from 0.001 or encoder.regularised.contraction from 1e+06 (a tenth"));
}

TEST_F(RunJobTest, EndsWhenTheFileItTrainsOnIsCutShort) {
  Tensor images(DType::kU8, {data_.rows(), data_.width()});
  std::vector<uint32_t> all(data_.rows());
  std::iota(all.begin(), all.end(), 0u);
  data_.Gather(all.data(), data_.rows(), images.data());
  const std::string path = directory_.File("rows.npy");
  ASSERT_TRUE(WriteNpy(path, {images.dtype(), images.shape(), images.data()}).ok());
  v1::DatasetRef reference;
  reference.set_path("rows.npy");
  const Dataset data = LoadDataset(reference, {{directory_.path()}}).value();
  TrainingControl control = WithCheckpoints();
  control.report_seconds = 1e9;
  int epochs = 0;
  control.report = [&](const v1::TrainingProgress&) {
    if (++epochs == 2) std::filesystem::resize_file(path, 5000);
  };
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_checkpoint_epochs(3);
  const absl::Status status = RunJob(spec, std::nullopt, data, CreateBackend("", {1}).value(), control).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rows.npy' was changed while it was read (5000 bytes, "));
  EXPECT_EQ(epochs, 2);  // nothing was made of the third
  EXPECT_FALSE(std::filesystem::exists(directory_.File("checkpoint.safetensors")));
}

TEST_F(RunJobTest, RefusesDataThatDoNotFitTheSpec) {
  v1::JobSpec spec = Spec();
  spec.mutable_training()->set_batch_size(2001);
  absl::Status status = Run(spec).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the data have 2000 rows but training.batch_size is 2001"));

  auto same = std::make_shared<Tensor>(DType::kF32, Shape{200, 5});
  std::vector<uint32_t> order(200);
  const Dataset constant(same, same->rows(), {5}, order, {});
  status = RunJob(Spec(), std::nullopt, constant, CreateBackend("", {1}).value(), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("all 200 rows of the data are the same"));
  const Dataset single(same, same->rows(), {5}, {0}, {});
  spec.mutable_training()->set_batch_size(1);
  status = RunJob(spec, std::nullopt, single, CreateBackend("", {1}).value(), {}).status();
  EXPECT_EQ(status.message(), "the data have a single row; there is nothing to learn from it");
}

TEST_F(RunJobTest, RowsThatAreSmallBesideTheNoiseAreToBeScaled) {
  auto tiny = std::make_shared<Tensor>(DType::kF32, Shape{200, 5});
  for (int64_t i = 0; i < tiny->elements(); ++i) tiny->as<float>()[i] = 1e-20f * static_cast<float>(i * i % 17);
  std::vector<uint32_t> order(200);
  std::iota(order.begin(), order.end(), 0u);
  const Dataset data(tiny, tiny->rows(), {5}, order, {});
  v1::JobSpec spec = Spec();
  v1::RegularisedSpec& regularised = *spec.mutable_encoder()->mutable_regularised();
  regularised.set_units(4);
  regularised.set_gaussian_noise(0.25f);
  spec.mutable_training()->set_learning_rate(0.01f);
  std::string warnings;
  TrainingControl control;
  control.report = [&](const v1::TrainingProgress& progress) { warnings = absl::StrJoin(progress.warnings(), "\n"); };
  ASSERT_TRUE(RunJob(spec, std::nullopt, data, CreateBackend("", {1}).value(), control).ok());
  EXPECT_THAT(warnings, HasSubstr("of the variance unexplained): scale the rows (their elements have a variance of "));
  EXPECT_THAT(warnings, HasSubstr("lower encoder.regularised.gaussian_noise from 0.25, or take another learning rate"));
}

}  // namespace
}  // namespace kwta::run_job_test
