#include "core/encoders/stack.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/encoders/winner_take_all.h"
#include "tests/core/encoders/k_sparse_fixture.h"
#include "tests/temporary_directory.h"

namespace kwta::stack_test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr int64_t kRows = 7;

ModelBundle Copy(const ModelBundle& bundle) {
  ModelBundle copy{bundle.description, {}};
  for (const auto& [name, tensor] : bundle.tensors) copy.tensors[name] = tensor.Clone();
  return copy;
}

class StackTest : public testing::Test {
 protected:
  StackTest() {
    base_.description.mutable_encoder()->mutable_k_sparse()->set_encode_alpha(2);
    stack_ = PutOnBase(Copy(base_), Copy(layer_));
    x_ = GaussianTensor({kRows, 11}, 1.0, rng_);
  }

  std::shared_ptr<const Encoder> Make(const ModelBundle& bundle) {
    auto encoder = CreateEncoder(bundle, backend_);
    EXPECT_TRUE(encoder.ok()) << encoder.status();
    return encoder.ok() ? *encoder : nullptr;
  }
  static SparseCodes Encode(const Encoder& encoder, const RowsView& rows, const EncodeOptions& options = {}) {
    SparseCodes codes;
    EXPECT_TRUE(encoder.EncodeSparse(rows, encoder.ResolveK(options).value(), &codes).ok());
    return codes;
  }
  void ExpectBroken(const ModelBundle& bundle, const std::string& text) {
    const absl::Status status = CreateEncoder(bundle, backend_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  Rng rng_{5};
  std::shared_ptr<Backend> backend_ = CreateBackend("", {1}).value();
  ModelBundle base_ = RandomKSparseModel(13, 11, 3, /*subtract_mean=*/true, 1);
  ModelBundle layer_ = RandomKSparseModel(9, 13, 2, /*subtract_mean=*/false, 2);
  ModelBundle stack_;
  Tensor x_;
};

TEST_F(StackTest, IsTheCompositionOfItsLayersBitForBit) {
  const auto lower = Make(base_), upper = Make(layer_), stack = Make(stack_);
  EXPECT_EQ(stack->input_width(), 11);
  EXPECT_EQ(stack->code_width(), 9);
  EXPECT_EQ(stack->parameter_bytes(), lower->parameter_bytes() + upper->parameter_bytes());
  const SparseCodes hidden = Encode(*lower, x_.rows());
  EXPECT_EQ(hidden.RectangularWidth(), 6) << "alpha k of the lower layer";
  Tensor dense(DType::kF32, {kRows, 13});
  hidden.ToDense(dense.as<float>());
  for (const EncodeOptions& options : {EncodeOptions{}, EncodeOptions{3, 0}, EncodeOptions{0, 9}}) {
    const SparseCodes expected = Encode(*upper, dense.rows(), options);
    const SparseCodes actual = Encode(*stack, x_.rows(), options);
    EXPECT_EQ(actual.units, 9);
    EXPECT_EQ(actual.row_offsets, expected.row_offsets);
    EXPECT_EQ(actual.indices, expected.indices);
    EXPECT_EQ(actual.values, expected.values);
  }
  EXPECT_EQ(Encode(*stack, x_.rows().Slice(0, 0)).rows(), 0);
}

TEST_F(StackTest, DecodesThroughEveryLayer) {
  const auto stack = Make(stack_);
  const SparseCodes codes = Encode(*stack, x_.rows());
  std::vector<float> actual(kRows * 11);
  ASSERT_TRUE(stack->Decode(codes, actual.data()).ok());
  const KSparseOracle lower(base_.tensors), upper(layer_.tensors);
  const float* mean = base_.tensors.at("mean").as<float>();
  for (int64_t i = 0; i < kRows; ++i) {
    std::vector<double> z(9);
    for (int64_t e = codes.row_offsets[i]; e < codes.row_offsets[i + 1]; ++e) z[codes.indices[e]] = codes.values[e];
    const std::vector<double> hidden = upper.Reconstruction(z, KSparseOracle::Support(z, 9));
    const std::vector<double> x = lower.Reconstruction(hidden, KSparseOracle::Support(hidden, 13));
    for (int64_t d = 0; d < 11; ++d) EXPECT_NEAR(actual[i * 11 + d], x[d] + mean[d], 1e-4);
  }
  std::vector<float> at_once(kRows * 11);
  ASSERT_TRUE(stack->Reconstruct(x_.rows(), 2, at_once.data()).ok());
  EXPECT_EQ(at_once, actual);
  SparseCodes activities;
  ASSERT_TRUE(stack->Activities(x_.rows(), 2, &activities).ok());
  EXPECT_EQ(activities.values, codes.values);
  EXPECT_EQ(activities.rows(), kRows);
}

TEST_F(StackTest, OnAStackIsFlat) {
  const ModelBundle third = RandomKSparseModel(5, 9, 1, false, 3);
  const ModelBundle three = PutOnBase(Copy(stack_), Copy(third));
  ASSERT_EQ(LayerCount(three.description.encoder()), 3);
  EXPECT_EQ(three.description.encoder().stack().layers(2).k_sparse().units(), 5u);
  EXPECT_EQ(three.description.input_width(), 11u);
  EXPECT_EQ(three.description.code_width(), 5u);
  EXPECT_TRUE(three.description.preprocessing().subtract_mean());
  std::vector<std::string> names;
  for (const auto& named : three.tensors) names.push_back(named.first);
  EXPECT_THAT(names,
              ElementsAre("layers.0.atoms", "layers.0.bias", "layers.0.decoder_bias", "layers.1.atoms", "layers.1.bias",
                          "layers.1.decoder_bias", "layers.2.atoms", "layers.2.bias", "layers.2.decoder_bias", "mean"));
  const auto two = Make(stack_), top = Make(third), whole = Make(three);
  Tensor dense(DType::kF32, {kRows, 9});
  Encode(*two, x_.rows()).ToDense(dense.as<float>());
  EXPECT_EQ(Encode(*whole, x_.rows()).values, Encode(*top, dense.rows()).values);
}

TEST_F(StackTest, LayersComeApartAgain) {
  const ModelBundle lower = LayerOfStack(stack_, 0).value(), upper = LayerOfStack(stack_, 1).value();
  EXPECT_EQ(Encode(*Make(lower), x_.rows()).values, Encode(*Make(base_), x_.rows()).values);
  EXPECT_EQ(upper.description.input_width(), 13u);
  EXPECT_FALSE(upper.description.preprocessing().subtract_mean());
  EXPECT_EQ(upper.tensors.size(), layer_.tensors.size());
}

TEST_F(StackTest, SavedAndLoadedEncodesIdentically) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(WriteModelBundle(directory.File("bundle"), stack_).ok());
  const auto loaded = Make(ReadModelBundle(directory.File("bundle")).value());
  const SparseCodes before = Encode(*Make(stack_), x_.rows()), after = Encode(*loaded, x_.rows());
  EXPECT_EQ(before.indices, after.indices);
  EXPECT_EQ(before.values, after.values);
}

TEST_F(StackTest, ABaseKeepsNothingOfItsClassifier) {
  ModelBundle classified = Copy(base_);
  classified.tensors["classifier.weights"] = Tensor(DType::kF32, {13, 10});
  const ModelBundle stack = PutOnBase(std::move(classified), Copy(layer_));
  EXPECT_EQ(stack.tensors.size(), stack_.tensors.size());
}

TEST_F(StackTest, RefusesWhatDoesNotFit) {
  ExpectBroken(PutOnBase(Copy(base_), RandomKSparseModel(9, 12, 2, false, 2)),
               "layer 1 of the stack: tensor \"atoms\" of the model is f32[9, 12]");
  ModelBundle broken = Copy(stack_);
  broken.description.set_code_width(8);
  ExpectBroken(broken, "codes of width 9; its description says 8");
  broken = Copy(stack_);
  broken.tensors.erase("layers.0.bias");
  ExpectBroken(broken, "layer 0 of the stack: the model has no tensor \"bias\"");
  broken = Copy(stack_);
  broken.description.mutable_encoder()->mutable_stack()->mutable_layers()->RemoveLast();
  ExpectBroken(broken, "a stack of 1 layers; expected at least 2");
  broken.description.mutable_encoder()->mutable_stack()->clear_layers();
  ExpectBroken(broken, "a stack of 0 layers");
  broken = Copy(stack_);
  *broken.description.mutable_encoder()->mutable_stack()->add_layers() = stack_.description.encoder();
  ExpectBroken(broken, "a stack among a stack's layers");
}

TEST_F(StackTest, IsNoEncoderToTrainInOneJob) {
  v1::EncoderSpec spec = stack_.description.encoder();
  const absl::Status status = ResolveEncoder(&spec);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a job of its own whose base is the model so far"));
  EXPECT_EQ(CreateLearner(spec, {11}, v1::TrainingSpec(), backend_).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(EncoderKindName(spec), "stack");
  EXPECT_THAT(EncoderKindNames(), testing::Not(testing::Contains("stack")));
}

TEST_F(StackTest, OnPooledMapsEncodesTheMaps) {
  v1::WinnerTakeAllSpec spec;
  spec.set_maps(3);
  spec.set_filter_size(3);
  spec.set_pool_width(2);
  spec.set_pool_stride(2);
  spec.set_pool_padding(0);
  ASSERT_TRUE(ResolveWinnerTakeAll(&spec).ok());
  ASSERT_TRUE(FitWinnerTakeAll(&spec, {4, 6}).ok());
  ModelBundle maps;
  maps.description.set_name("maps");
  maps.description.set_input_width(24);
  maps.description.set_code_width(18);
  *maps.description.mutable_encoder()->mutable_winner_take_all() = spec;
  maps.tensors["filters"] = GaussianTensor(FilterShape(spec), 1, rng_);
  maps.tensors["bias"] = GaussianTensor({3}, 1, rng_);
  maps.tensors["decoder_filters"] = GaussianTensor(DecoderFilterShape(spec), 1, rng_);
  maps.tensors["decoder_bias"] = GaussianTensor({1}, 1, rng_);
  const ModelBundle top = RandomKSparseModel(9, 18, 2, false, 4);
  const auto lower = Make(maps), upper = Make(top), stack = Make(PutOnBase(Copy(maps), Copy(top)));
  EXPECT_FALSE(stack->dense_codes());
  const Tensor images = GaussianTensor({kRows, 24}, 1, rng_);
  Tensor pooled(DType::kF32, {kRows, 18});
  ASSERT_TRUE(lower->EncodeDense(images.rows(), 18, pooled.as<float>()).ok());
  EXPECT_EQ(Encode(*stack, images.rows()).indices, Encode(*upper, pooled.rows()).indices);
  EXPECT_EQ(Encode(*stack, images.rows()).values, Encode(*upper, pooled.rows()).values);
  std::vector<float> out(kRows * 24);
  EXPECT_EQ(stack->Reconstruct(images.rows(), 2, out.data()).code(), absl::StatusCode::kUnimplemented)
      << "pooled maps do not say where the winners were";
}

TEST_F(StackTest, OnViewsReadsTheCodesOfAllOfThem) {
  ModelBundle views = RandomKSparseModel(13, 6, 3, false, 1);
  views.description.set_input_width(12);
  views.description.set_code_width(26);
  v1::PreprocessingSpec& spec = *views.description.mutable_preprocessing();
  spec.add_steps()->mutable_separate_views();
  spec.mutable_input()->set_channels(2);
  spec.mutable_input()->set_height(2);
  spec.mutable_input()->set_width(3);
  const ModelBundle top = RandomKSparseModel(9, 26, 2, false, 4);
  const auto lower = Make(views), upper = Make(top), stack = Make(PutOnBase(Copy(views), Copy(top)));
  EXPECT_EQ(stack->input_width(), 12);
  const Tensor images = GaussianTensor({kRows, 12}, 1, rng_);
  Tensor hidden(DType::kF32, {kRows, 26});
  Encode(*lower, images.rows()).ToDense(hidden.as<float>());
  EXPECT_EQ(Encode(*stack, images.rows()).values, Encode(*upper, hidden.rows()).values);
}

TEST(CodeShape, IsWhatALayerOnTopSees) {
  v1::ModelDescription model;
  EXPECT_EQ(CodeShape(model), Shape{0});
  model.mutable_encoder()->mutable_k_sparse()->set_units(17);
  EXPECT_EQ(CodeShape(model), Shape{17});
  v1::WinnerTakeAllSpec& maps = *model.mutable_encoder()->mutable_winner_take_all();
  EXPECT_EQ(CodeShape(model), Shape{0}) << "nothing says how large an image is";
  maps.set_maps(16);
  maps.set_pool_width(5);
  maps.set_pool_stride(3);
  maps.set_pool_padding(2);
  maps.mutable_input()->set_channels(1);
  maps.mutable_input()->set_height(28);
  maps.mutable_input()->set_width(31);
  EXPECT_EQ(CodeShape(model), (Shape{16, 10, 11}));
  v1::ModelDescription stack;
  *stack.mutable_encoder()->mutable_stack()->add_layers() = model.encoder();
  for (v1::ModelDescription* each : {&model, &stack}) {
    each->mutable_preprocessing()->add_steps()->mutable_separate_views();
    each->mutable_preprocessing()->mutable_input()->set_channels(2);
  }
  EXPECT_EQ(CodeShape(model), (Shape{32, 10, 11}));
  EXPECT_EQ(CodeShape(stack), (Shape{16, 10, 11})) << "views are those of the lowest layer";
}

}  // namespace
}  // namespace kwta::stack_test
