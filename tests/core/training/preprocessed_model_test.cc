// Models with preprocessing steps: trained, saved, loaded, and encoding what they were trained on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/k_sparse.h"
#include "core/encoders/views_encoder.h"
#include "core/io/model_bundle.h"
#include "core/training/job_spec.h"
#include "core/training/run_job.h"
#include "tests/core/preprocessing/made_up_images.h"
#include "tests/temporary_directory.h"

namespace kwta::preprocessed_model_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::shared_ptr<Backend> AnyBackend() { return CreateBackend("", {1}).value(); }

absl::StatusOr<ModelBundle> TrainOn(const Dataset& data, const std::string& preprocessing,
                                    const TrainingControl& control = {}) {
  v1::JobSpec spec;
  spec.set_model("small");
  v1::KSparseSpec& encoder = *spec.mutable_encoder()->mutable_k_sparse();
  encoder.set_units(20);
  encoder.set_k(3);
  spec.mutable_training()->set_epochs(2);
  spec.mutable_training()->set_batch_size(25);
  spec.mutable_dataset()->set_path("images.npy");
  *spec.mutable_preprocessing() = ResolvedSpec(preprocessing);
  EXPECT_TRUE(ResolveJobSpec(&spec).ok());
  return RunJob(spec, std::nullopt, data, AnyBackend(), control);
}

SparseCodes EncodeRows(const Encoder& encoder, const RowsView& x) {
  SparseCodes codes;
  const absl::Status status = encoder.EncodeSparse(x, encoder.ResolveK({}).value(), &codes);
  EXPECT_TRUE(status.ok()) << status;
  return codes;
}

class PreprocessedModel : public testing::Test {
 protected:
  ModelBundle SavedAndLoaded(const ModelBundle& bundle) {
    EXPECT_TRUE(WriteModelBundle(directory_.File("bundle"), bundle).ok());
    return ReadModelBundle(directory_.File("bundle")).value();
  }

  const TemporaryDirectory directory_;
};

constexpr char kSteps[] =
    "subtract_mean: true steps { grey {} } steps { crop { height: 6 width: 6 } } "
    "steps { resize { height: 4 width: 4 } } steps { global_contrast {} } steps { whiten { epsilon: 0.01 } }";

TEST_F(PreprocessedModel, EncodesRawRowsAsPreprocessedByHand) {
  const Tensor images = SmoothBytes({150, 3, 7, 8}, 1);
  const ModelBundle bundle = SavedAndLoaded(TrainOn(AsDataset(images.Clone()), kSteps).value());
  EXPECT_EQ(bundle.description.input_width(), 3u * 7 * 8);
  EXPECT_EQ(bundle.description.code_width(), 20u);
  EXPECT_EQ(bundle.description.preprocessing().input().height(), 7u);
  const auto encoder = CreateEncoder(bundle, AnyBackend()).value();
  EXPECT_EQ(encoder->input_width(), 3 * 7 * 8);
  EXPECT_EQ(encoder->reconstruction_width(), 16);
  const SparseCodes codes = EncodeRows(*encoder, images.rows());

  // The same encoder without the steps, on rows that have gone through them.
  const auto preprocessor = Preprocessor::Load(bundle.description.preprocessing(), 3 * 7 * 8, bundle.tensors).value();
  Tensor by_hand(DType::kF32, {150, 16});
  ASSERT_TRUE(preprocessor.ApplySteps(images.rows(), by_hand.as<float>()).ok());
  ModelBundle bare;
  bare.description = bundle.description;
  bare.description.set_input_width(16);
  bare.description.mutable_preprocessing()->clear_steps();
  bare.description.mutable_preprocessing()->clear_input();
  for (const auto& [name, tensor] : bundle.tensors) bare.tensors[name] = tensor.Clone();
  const SparseCodes expected = EncodeRows(*CreateEncoder(bare, AnyBackend()).value(), by_hand.rows());
  EXPECT_EQ(codes.indices, expected.indices);
  EXPECT_EQ(codes.values, expected.values);
}

TEST_F(PreprocessedModel, ComesBackFromDiskTheSame) {
  const Tensor images = SmoothBytes({60, 3, 7, 8}, 2);
  const ModelBundle bundle = TrainOn(AsDataset(images.Clone()), kSteps).value();
  const SparseCodes before = EncodeRows(*CreateEncoder(bundle, AnyBackend()).value(), images.rows());
  const SparseCodes after = EncodeRows(*CreateEncoder(SavedAndLoaded(bundle), AnyBackend()).value(), images.rows());
  EXPECT_EQ(before.indices, after.indices);
  EXPECT_EQ(before.values, after.values);
}

TEST_F(PreprocessedModel, OfPatchesEncodesPatches) {
  const Tensor images = SmoothBytes({30, 3, 9, 9}, 3);
  const ModelBundle bundle = SavedAndLoaded(
      TrainOn(AsDataset(images.Clone()), "steps { random_patches { size: 4 patches: 500 } } steps { whiten {} }")
          .value());
  EXPECT_EQ(bundle.description.input_width(), 3u * 4 * 4);
  EXPECT_EQ(bundle.description.statistics().training_rows(), 500u);
  const auto encoder = CreateEncoder(bundle, AnyBackend()).value();
  const Tensor patches = SmoothBytes({5, 3, 4, 4}, 4);
  EXPECT_EQ(EncodeRows(*encoder, patches.rows()).rows(), 5);
}

TEST_F(PreprocessedModel, PutsTheCodesOfViewsSideBySide) {
  const Tensor images = SmoothBytes({50, 2, 5, 4}, 5);
  const ModelBundle bundle = SavedAndLoaded(
      TrainOn(AsDataset(images.Clone()), "steps { separate_views {} } steps { global_contrast {} }").value());
  EXPECT_EQ(bundle.description.input_width(), 40u);
  EXPECT_EQ(bundle.description.code_width(), 40u);
  EXPECT_EQ(bundle.description.statistics().training_rows(), 100u);
  const auto encoder = CreateEncoder(bundle, AnyBackend()).value();
  EXPECT_EQ(encoder->code_width(), 40);
  EXPECT_EQ(encoder->ResolveK({}).value(), 6);
  EXPECT_EQ(encoder->ResolveK({0, 4}).value(), 8);
  const SparseCodes codes = EncodeRows(*encoder, images.rows());
  ASSERT_EQ(codes.rows(), 50);
  EXPECT_EQ(codes.units, 40);

  const ModelBundle inner = ModelOfAView(bundle).value();
  const auto view_encoder = CreateKSparseEncoder(inner, AnyBackend()).value();
  const SparseCodes of_views = EncodeRows(*view_encoder, {DType::kU8, images.data(), 100, 20});
  for (size_t j = 0; j < codes.indices.size(); ++j) {
    const int32_t view = static_cast<int32_t>(j / 3 % 2);
    EXPECT_EQ(codes.indices[j], of_views.indices[j] + 20 * view);
    EXPECT_EQ(codes.values[j], of_views.values[j]);
  }

  std::vector<float> together(50 * 40), apart(100 * 20);
  ASSERT_TRUE(encoder->Decode(codes, together.data()).ok());
  ASSERT_TRUE(view_encoder->Decode(of_views, apart.data()).ok());
  EXPECT_EQ(together, apart);
  std::vector<float> reconstructed(50 * 40), dense(50 * 40), dense_of_codes(50 * 40);
  ASSERT_TRUE(encoder->Reconstruct(images.rows(), 6, reconstructed.data()).ok());
  EXPECT_EQ(reconstructed, together);
  ASSERT_TRUE(encoder->EncodeDense(images.rows(), 6, dense.data()).ok());
  codes.ToDense(dense_of_codes.data());
  EXPECT_EQ(dense, dense_of_codes);
}

TEST_F(PreprocessedModel, ReportsWarnings) {
  std::vector<std::string> warnings;
  TrainingControl control;
  control.report = [&](const v1::TrainingProgress& progress) {
    warnings.assign(progress.warnings().begin(), progress.warnings().end());
  };
  ASSERT_TRUE(TrainOn(AsDataset(SmoothBytes({30, 40}, 6)), "steps { whiten {} }", control).ok());
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("was fitted on 30 rows of 40 dimensions")));
}

TEST_F(PreprocessedModel, RefusesDescriptionsThatDoNotDivideIntoViews) {
  ModelBundle bundle = TrainOn(AsDataset(SmoothBytes({50, 2, 5, 4}, 5)), "steps { separate_views {} }").value();
  bundle.description.set_code_width(41);
  const absl::Status status = CreateEncoder(bundle, AnyBackend()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("code_width 41 for 2 separate views"));
}

TEST_F(PreprocessedModel, RefusesRowsThatOverflow) {
  const ModelBundle bundle = TrainOn(AsDataset(SmoothBytes({50, 8}, 7)), "steps { scale { factor: 1000 } }").value();
  Tensor rows(DType::kF32, {2, 8});
  rows.as<float>()[11] = 3e37f;
  SparseCodes codes;
  const absl::Status status = CreateEncoder(bundle, AnyBackend()).value()->EncodeSparse(rows.rows(), 3, &codes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("row 1 overflows in preprocessing"));
}

}  // namespace
}  // namespace kwta::preprocessed_model_test
