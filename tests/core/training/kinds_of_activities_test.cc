// Whole jobs of the kinds whose codes are all their activities: layers, stacks of them, and fine-tuning.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/stack.h"
#include "core/evaluation/stored_classifier.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/temporary_directory.h"

namespace kwta::kinds_of_activities_test {
namespace {

using testing::HasSubstr;

v1::DatasetRef Images(uint64_t rows) {
  v1::DatasetRef reference;
  reference.set_name("fashion-mnist");
  reference.set_max_rows(rows);
  return reference;
}

v1::JobSpec Job(void (*set)(v1::EncoderSpec*)) {
  v1::JobSpec job;
  job.set_model("m");
  set(job.mutable_encoder());
  job.mutable_training()->set_epochs(3);
  job.mutable_training()->set_batch_size(50);
  *job.mutable_dataset() = Images(600);
  return job;
}

v1::JobSpec DropoutJob() {
  return Job([](v1::EncoderSpec* encoder) {
    encoder->mutable_dropout()->set_units(60);
    encoder->mutable_dropout()->set_masking_noise(0.2f);
  });
}
v1::JobSpec RbmJob() {
  return Job([](v1::EncoderSpec* encoder) { encoder->mutable_rbm()->set_units(60); });
}
v1::JobSpec TuningJob() {
  v1::JobSpec job = RbmJob();
  job.clear_encoder();
  job.mutable_base()->set_model("m");
  job.mutable_fine_tuning()->set_classifier_epochs(3);
  job.mutable_training()->set_epochs(20);
  job.mutable_training()->set_learning_rate(0.01f);
  return job;
}

// The classifier of the first step alone.
v1::JobSpec StillJob() {
  v1::JobSpec job = TuningJob();
  job.mutable_training()->set_epochs(1);
  job.mutable_training()->set_learning_rate(1e-9f);
  job.mutable_fine_tuning()->set_classifier_rate(1e-9f);
  return job;
}

class KindsOfActivities : public testing::Test {
 protected:
  absl::StatusOr<ModelBundle> Run(v1::JobSpec job, const ModelBundle* base = nullptr, int threads = 1) {
    if (base != nullptr) job.mutable_base()->set_model("m");
    const absl::Status resolved = ResolveJobSpec(&job);
    if (!resolved.ok()) return resolved;
    return RunJob(job, base == nullptr ? std::nullopt : std::optional<ModelBundle>(base->Clone()), data_,
                  CreateBackend("", {threads}).value(), control_);
  }
  void ExpectRefused(const v1::JobSpec& job, const std::string& text, const ModelBundle* base = nullptr) {
    const absl::Status status = Run(job, base).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
  double Error(const ModelBundle& model) {
    return ClassificationError(model, data_, CreateBackend("", {1}).value()).value();
  }
  static std::map<std::string, std::string> Bytes(const ModelBundle& model) {
    std::map<std::string, std::string> bytes;
    for (const auto& [name, tensor] : model.tensors) {
      bytes[name] = std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
    }
    return bytes;
  }

  const Dataset data_ = LoadDataset(Images(600), {{KWTA_TEST_DATA "/datasets"}}).value();
  TrainingControl control_;
};

TEST_F(KindsOfActivities, AreTrainedStackedAndFineTunedWithTheirOwnRegularisation) {
  const ModelBundle lower = Run(DropoutJob()).value();
  EXPECT_TRUE(lower.description.statistics().has_activation_fraction());
  v1::JobSpec upper_job = DropoutJob();
  upper_job.mutable_encoder()->mutable_dropout()->set_hidden_dropout(0.3f);
  upper_job.mutable_encoder()->mutable_dropout()->set_masking_noise(0);
  const ModelBundle stack = Run(upper_job, &lower).value();
  ASSERT_EQ(LayerCount(stack.description.encoder()), 2);
  const ModelBundle tuned = Run(TuningJob(), &stack).value();
  EXPECT_EQ(tuned.description.fine_tuning().input_dropout(), 0.2f) << "the lowest layer's";
  EXPECT_EQ(tuned.description.fine_tuning().code_dropout(), 0.3f) << "the top layer's";
  EXPECT_LT(Error(tuned), Error(Run(StillJob(), &stack).value()));

  v1::JobSpec plain = TuningJob();
  plain.mutable_fine_tuning()->set_code_dropout(0);
  plain.mutable_fine_tuning()->set_input_dropout(0);
  const ModelBundle without = Run(plain, &stack).value();
  EXPECT_TRUE(without.description.fine_tuning().has_code_dropout());
  EXPECT_EQ(without.description.fine_tuning().code_dropout(), 0);
  EXPECT_NE(Bytes(tuned), Bytes(without));
}

TEST_F(KindsOfActivities, BoltzmannMachinesAreStackedAndFineTuned) {
  const ModelBundle lower = Run(RbmJob()).value();
  EXPECT_TRUE(lower.description.statistics().has_free_energy());
  EXPECT_NE(lower.description.statistics().free_energy(), 0);
  const ModelBundle stack = Run(RbmJob(), &lower).value();
  const ModelBundle tuned = Run(TuningJob(), &stack).value();
  EXPECT_EQ(tuned.description.fine_tuning().code_dropout(), 0);
  EXPECT_LT(Error(tuned), Error(Run(StillJob(), &stack).value()));
}

TEST_F(KindsOfActivities, FineTuningGoesOnFromACheckpointAndWithAnyThreadsToTheSameBits) {
  const ModelBundle lower = Run(DropoutJob()).value();
  const ModelBundle whole = Run(TuningJob(), &lower).value();
  EXPECT_EQ(Bytes(whole), Bytes(Run(TuningJob(), &lower, 2).value()));
  const TemporaryDirectory directory;
  std::atomic<bool> stop{false};
  control_.checkpoint_directory = directory.path();
  control_.report_seconds = 0;
  control_.stop = &stop;
  control_.report = [&stop](const v1::TrainingProgress& progress) { stop = progress.epochs_done() == 10; };
  ASSERT_EQ(Run(TuningJob(), &lower).status().code(), absl::StatusCode::kCancelled);
  control_.stop = nullptr;
  control_.report = {};
  EXPECT_EQ(Bytes(whole), Bytes(Run(TuningJob(), &lower).value()));
}

TEST_F(KindsOfActivities, RefuseRowsThatAreNoProbabilities) {
  v1::JobSpec job = RbmJob();
  job.mutable_preprocessing()->set_u8_divisor(100);
  ExpectRefused(job,
                "expected 0 .. 1: they are the probabilities of a Boltzmann machine's visible units; scale the rows");
  job = RbmJob();
  job.mutable_preprocessing()->set_subtract_mean(true);
  ExpectRefused(job, "preprocessing.subtract_mean is true; expected false: a Boltzmann machine reads probabilities");
  job.clear_preprocessing();
  job.mutable_preprocessing()->set_u8_divisor(100);
  job.mutable_preprocessing()->add_steps()->mutable_scale()->set_factor(100.0f / 255);
  EXPECT_EQ(Run(job).status(), absl::OkStatus()) << "scaled";

  job = DropoutJob();
  job.mutable_encoder()->mutable_dropout()->set_decoder(v1::DECODER_SIGMOID);
  job.mutable_preprocessing()->set_u8_divisor(100);
  ExpectRefused(job, "expected 0 .. 1: a sigmoid decoder reconstructs probabilities");
  // ReLU's activities are no probabilities.
  job = DropoutJob();
  job.mutable_preprocessing()->set_u8_divisor(100);
  job.mutable_training()->set_learning_rate(1e-5f);
  const ModelBundle lower = Run(job).value();
  ExpectRefused(RbmJob(), "expected 0 .. 1", &lower);
}

}  // namespace
}  // namespace kwta::kinds_of_activities_test
