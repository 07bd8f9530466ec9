#include "core/training/job_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/encoders/encoder_registry.h"

namespace kwta::job_spec_test {
namespace {

using testing::HasSubstr;

v1::JobSpec MinimalSpec() {
  v1::JobSpec spec;
  spec.set_model("digits");
  spec.mutable_encoder()->mutable_k_sparse();
  spec.mutable_dataset()->set_name("fashion-mnist");
  return spec;
}

TEST(ResolveJobSpec, FillsInEveryDefault) {
  v1::JobSpec spec = MinimalSpec();
  ASSERT_TRUE(ResolveJobSpec(&spec).ok());
  const v1::TrainingSpec& training = spec.training();
  EXPECT_EQ(training.epochs(), 30u);
  EXPECT_EQ(training.batch_size(), 100u);
  EXPECT_FALSE(training.has_learning_rate()) << "the rows decide";
  EXPECT_TRUE(training.has_final_learning_rate());
  EXPECT_EQ(training.final_learning_rate(), 0);
  EXPECT_EQ(training.momentum(), 0.9f);
  EXPECT_EQ(training.seed(), 1u);
  EXPECT_TRUE(training.has_threads());
  EXPECT_EQ(training.checkpoint_epochs(), 1u);
  EXPECT_EQ(spec.encoder().k_sparse().units(), 1000u);
  EXPECT_EQ(spec.preprocessing().u8_divisor(), 255);
  EXPECT_TRUE(spec.preprocessing().subtract_mean());
  EXPECT_EQ(spec.dataset().split(), v1::DATASET_SPLIT_TRAIN);
}

TEST(ResolveJobSpec, DefaultsAreTheEncodersOwn) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_encoder()->mutable_winner_take_all();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_EQ(spec.training().learning_rate(), 0.001f);
  EXPECT_EQ(spec.training().final_learning_rate(), 0);
  EXPECT_TRUE(spec.preprocessing().has_subtract_mean());
  EXPECT_FALSE(spec.preprocessing().subtract_mean());

  spec = MinimalSpec();
  spec.mutable_preprocessing()->set_subtract_mean(false);
  spec.mutable_training()->set_learning_rate(0.5f);
  spec.mutable_training()->set_final_learning_rate(0.25f);
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_FALSE(spec.preprocessing().subtract_mean()) << "what is chosen stays";
  EXPECT_EQ(spec.training().learning_rate(), 0.5f);
  EXPECT_EQ(spec.training().final_learning_rate(), 0.25f);

  spec = MinimalSpec();
  spec.mutable_base()->set_model("base");
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_FALSE(spec.has_preprocessing()) << "a layer on another model has none of its own";
}

TEST(ResolveJobSpec, AWinnerTakeAllLayerOnAnotherModelStartsAtTheMean) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_encoder()->mutable_winner_take_all();
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_FALSE(spec.encoder().winner_take_all().biases_from_mean());
  EXPECT_EQ(spec.encoder().winner_take_all().decoder_init_sigma(), 0.02f);

  spec.mutable_encoder()->mutable_winner_take_all()->Clear();
  spec.clear_preprocessing();
  spec.mutable_base()->set_model("below");
  v1::JobSpec chosen = spec;
  ASSERT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  EXPECT_TRUE(spec.encoder().winner_take_all().biases_from_mean());
  EXPECT_EQ(spec.encoder().winner_take_all().decoder_init_sigma(), 0.001f);

  chosen.mutable_encoder()->mutable_winner_take_all()->set_biases_from_mean(false);
  chosen.mutable_encoder()->mutable_winner_take_all()->set_decoder_init_sigma(0.5f);
  ASSERT_EQ(ResolveJobSpec(&chosen), absl::OkStatus());
  EXPECT_FALSE(chosen.encoder().winner_take_all().biases_from_mean());
  EXPECT_EQ(chosen.encoder().winner_take_all().decoder_init_sigma(), 0.5f);
}

TEST(ResolveJobSpec, ResolvingAgainChangesNothing) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_training()->set_learning_rate(0.01f);
  spec.mutable_training()->set_final_learning_rate(0);
  spec.mutable_training()->set_checkpoint_epochs(0);
  ASSERT_TRUE(ResolveJobSpec(&spec).ok());
  const std::string once = spec.SerializeAsString();
  ASSERT_TRUE(ResolveJobSpec(&spec).ok());
  EXPECT_EQ(spec.SerializeAsString(), once);
  EXPECT_EQ(spec.training().final_learning_rate(), 0);
}

TEST(ResolveJobSpec, BoundsTheScoresOfABatch) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_encoder()->mutable_k_sparse()->set_units(1u << 20);
  spec.mutable_training()->set_batch_size(2049);
  const absl::Status status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("training.batch_size is 2049; expected 1 .. 2048 with 1048576 units"));
  spec.mutable_training()->set_batch_size(2048);
  EXPECT_TRUE(ResolveJobSpec(&spec).ok());
}

TEST(ResolveJobSpec, RefusesValuesOutOfRange) {
  const auto message = [](void (*change)(v1::JobSpec*)) {
    v1::JobSpec spec = MinimalSpec();
    change(&spec);
    const absl::Status status = ResolveJobSpec(&spec);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  using Spec = v1::JobSpec;
  EXPECT_THAT(message([](Spec* s) { s->set_model("a/b"); }), HasSubstr("model"));
  EXPECT_THAT(message([](Spec* s) { s->clear_encoder(); }), HasSubstr("encoder names no kind"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_encoder()->mutable_k_sparse()->set_k(1001); }),
              HasSubstr("encoder.k_sparse.k is 1001; expected 1 .. 1000"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_preprocessing()->set_u8_divisor(-1); }),
              HasSubstr("preprocessing.u8_divisor is -1"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_epochs(0); }),
              HasSubstr("training.epochs is 0; expected 1 .. 1000000"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_epochs(1'000'001); }), HasSubstr("is 1000001"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_batch_size(0); }),
              HasSubstr("training.batch_size is 0; expected 1 .. 65536"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_batch_size(65'537); }), HasSubstr("is 65537"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_learning_rate(0); }),
              HasSubstr("training.learning_rate is 0"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_learning_rate(std::nanf("")); }),
              HasSubstr("training.learning_rate is nan"));
  EXPECT_THAT(message([](Spec* s) {
                s->mutable_training()->set_learning_rate(0.001f);
                s->mutable_training()->set_final_learning_rate(0.002f);
              }),
              HasSubstr("training.final_learning_rate is 0.002; expected 0 .. 0.001"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_final_learning_rate(-1); }),
              HasSubstr("training.final_learning_rate is -1; expected 0 .. the learning_rate"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_momentum(1); }),
              HasSubstr("training.momentum is 1; expected at least 0 and below 1"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_training()->set_threads(1025); }),
              HasSubstr("training.threads is 1025"));
  EXPECT_THAT(message([](Spec* s) { s->mutable_dataset()->clear_source(); }), HasSubstr("data"));
  v1::JobSpec unknown = MinimalSpec();
  unknown.mutable_dataset()->set_name("no-such-set");
  EXPECT_EQ(ResolveJobSpec(&unknown).code(), absl::StatusCode::kNotFound);
}

TEST(ResolveJobSpec, RefusesToSubtractTheMeanFromRowsThatMustLieIn0To1) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_preprocessing()->set_subtract_mean(true);
  EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  spec.mutable_encoder()->mutable_rbm();
  absl::Status status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()),
            "preprocessing.subtract_mean is true; expected false: a Boltzmann machine reads probabilities, 0 .. 1");
  spec.mutable_encoder()->mutable_dropout();
  EXPECT_EQ(ResolveJobSpec(&spec), absl::OkStatus());
  spec.mutable_encoder()->mutable_dropout()->set_decoder(v1::DECODER_SIGMOID);
  status = ResolveJobSpec(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("expected false: a sigmoid decoder reconstructs numbers"));
}

TEST(CheckFitsBase, ReadsTheCodesThatALayerWouldGet) {
  v1::ModelDescription base;
  base.mutable_encoder()->mutable_rbm()->set_units(100);
  v1::JobSpec layer = MinimalSpec();
  EXPECT_EQ(CheckFitsBase(layer, base), absl::OkStatus());
  layer.mutable_encoder()->mutable_winner_take_all();
  ASSERT_EQ(ResolveEncoder(layer.mutable_encoder()), absl::OkStatus());
  const v1::JobSpec before = layer;
  absl::Status status = CheckFitsBase(layer, base);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the rows are of shape [100], which is no image"));
  v1::ImageShape& image = *layer.mutable_encoder()->mutable_winner_take_all()->mutable_input();
  image.set_channels(1);
  image.set_height(10);
  image.set_width(10);
  EXPECT_EQ(CheckFitsBase(layer, base), absl::OkStatus());
  v1::JobSpec tuning = MinimalSpec();
  tuning.clear_encoder();
  tuning.mutable_fine_tuning();
  EXPECT_EQ(CheckFitsBase(tuning, base), absl::OkStatus());
  *base.mutable_encoder() = before.encoder();
  status = CheckFitsBase(tuning, base);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("layer 0 of the model is winner-take-all"));
}

TEST(CheckRowsSuffice, ComparesRowsWithABatchWhereItKnowsThem) {
  v1::JobSpec spec = MinimalSpec();
  ASSERT_TRUE(ResolveJobSpec(&spec).ok());
  EXPECT_TRUE(CheckRowsSuffice(100, spec).ok());
  const absl::Status status = CheckRowsSuffice(99, spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the data have 99 rows but training.batch_size is 100"));
  // Patches are as many as the step says; what a base model does to rows it alone knows.
  v1::JobSpec patches = spec;
  patches.mutable_preprocessing()->add_steps()->mutable_random_patches();
  EXPECT_TRUE(CheckRowsSuffice(1, patches).ok());
  v1::JobSpec layer = spec;
  layer.mutable_base()->set_model("digits");
  EXPECT_TRUE(CheckRowsSuffice(1, layer).ok());
}

}  // namespace
}  // namespace kwta::job_spec_test
