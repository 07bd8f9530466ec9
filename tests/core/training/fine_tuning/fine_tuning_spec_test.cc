#include "core/training/fine_tuning/fine_tuning_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "core/training/job_spec.h"

namespace kwta::fine_tuning_spec_test {
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
  EXPECT_TRUE(tuning.has_encoder_l2() && tuning.has_adversarial_length() && tuning.has_max_shift());
  EXPECT_FALSE(tuning.has_input_dropout() || tuning.has_code_dropout()) << "their defaults are those of the model";
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
  spec = MinimalSpec();
  spec.mutable_training()->set_epochs(0);
  ExpectRefused(spec, "training.epochs is 0");
  spec = MinimalSpec();
  spec.mutable_training()->set_momentum(-0.5f);
  ExpectRefused(spec, "training.momentum is -0.5");

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
  expect("fine_tuning.adversarial_length is -1", [](auto* f) { f->set_adversarial_length(-1); });
  expect("fine_tuning.adversarial_length is inf",
         [](auto* f) { f->set_adversarial_length(std::numeric_limits<float>::infinity()); });
  expect("fine_tuning.max_shift is 4294967295", [](auto* f) { f->set_max_shift(4294967295u); });
}

v1::EncoderSpec KSparse() {
  v1::EncoderSpec spec;
  spec.mutable_k_sparse();
  return spec;
}

TEST(CheckCanBeTuned, TakesLayersOfOneMatrixThatEncodeWholeRows) {
  v1::ModelDescription model;
  *model.mutable_encoder() = KSparse();
  EXPECT_EQ(CheckCanBeTuned(model), absl::OkStatus());
  v1::StackSpec& stack = *model.mutable_encoder()->mutable_stack();
  *stack.add_layers() = KSparse();
  *stack.add_layers() = KSparse();
  EXPECT_EQ(CheckCanBeTuned(model), absl::OkStatus());
  stack.mutable_layers(0)->mutable_dropout();
  stack.mutable_layers(1)->mutable_rbm();
  EXPECT_EQ(CheckCanBeTuned(model), absl::OkStatus());
  stack.mutable_layers(0)->mutable_regularised();
  EXPECT_EQ(CheckCanBeTuned(model), absl::OkStatus());
  stack.mutable_layers(1)->mutable_winner_take_all();
  absl::Status status = CheckCanBeTuned(model);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("layer 1 of the model is winner-take-all; only k-sparse, regularised, dropout, "
                        "rbm layers can be fine-tuned"));
  *stack.mutable_layers(1) = KSparse();
  model.mutable_preprocessing()->add_steps()->mutable_separate_views();
  status = CheckCanBeTuned(model);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("separate_views"));
}

}  // namespace
}  // namespace kwta::fine_tuning_spec_test
