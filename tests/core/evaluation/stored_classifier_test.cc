#include "core/evaluation/stored_classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/backends/backend_registry.h"
#include "core/io/model_bundle.h"
#include "tests/temporary_directory.h"

namespace kwta::stored_classifier_test {
namespace {

using testing::HasSubstr;

Tensor Filled(Shape shape, const std::vector<float>& values) {
  Tensor tensor(DType::kF32, std::move(shape));
  std::copy(values.begin(), values.end(), tensor.as<float>());
  return tensor;
}

// Two classes over three units: class 1 for unit 0, class 0 for unit 1, a tie without either.
TensorMap TwoClasses() {
  TensorMap tensors;
  tensors.emplace(kClassifierWeights, Filled({3, 2}, {0, 1, 2, 0, 0, 0}));
  tensors.emplace(kClassifierBias, Filled({2}, {0.5f, 0.5f}));
  return tensors;
}

void ExpectDataLoss(const TensorMap& tensors, int64_t width, const std::string& text) {
  const absl::Status status = StoredClassifier::Create(tensors, width).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(text));
}

TEST(StoredClassifier, CountsRowsWhoseHighestScoreIsNotTheirLabel) {
  const StoredClassifier classifier = StoredClassifier::Create(TwoClasses(), 3).value();
  EXPECT_EQ(classifier.classes(), 2);
  SparseCodes codes;
  codes.units = 3;
  codes.indices = {0, 1, 0, 1, 2};
  codes.values = {3, 1, 3, 2, 7};
  codes.row_offsets = {0, 2, 4, 5, 5};  // scores less bias: (2, 3), (4, 3), (0, 0), (0, 0)
  const CodeFeatures features(codes);
  EXPECT_EQ(classifier.CountWrong(features, {1, 0, 0, 0}), 0) << "the lowest class of a tie";
  EXPECT_EQ(classifier.CountWrong(features, {0, 1, 1, 1}), 4);
  EXPECT_EQ(classifier.CountWrong(features, {1, 1, 0, 1}), 2);
}

TEST(StoredClassifier, ScoresACode) {
  const StoredClassifier classifier = StoredClassifier::Create(TwoClasses(), 3).value();
  SparseCodes codes;
  codes.units = 3;
  codes.indices = {0, 1};
  codes.values = {3, 1};
  codes.row_offsets = {0, 2};
  FeatureScratch scratch;
  std::vector<float> none(2), scores(2);
  classifier.Score({nullptr, nullptr, 0}, none.data());
  classifier.Score(CodeFeatures(codes).Row(0, &scratch), scores.data());
  EXPECT_EQ(scores[0] - none[0], 2);
  EXPECT_EQ(scores[1] - none[1], 3);
}

TEST(StoredClassifier, IsReadFromABundleWithoutItsOtherTensors) {
  TemporaryDirectory directory;
  ModelBundle bundle;
  bundle.description.set_name("tuned");
  bundle.description.set_code_width(3);
  bundle.tensors = TwoClasses();
  bundle.tensors.emplace("atoms", Filled({3, 4}, std::vector<float>(12, 1)));
  ASSERT_TRUE(WriteModelBundle(directory.File("tuned"), bundle).ok());
  EXPECT_EQ(ReadModelBundle(directory.File("tuned"), "classifier.")->tensors.size(), 2u);
  const StoredClassifier classifier = StoredClassifier::Read(directory.File("tuned")).value();
  EXPECT_EQ(classifier.weights().as<float>()[2], 2);
  EXPECT_EQ(StoredClassifier::Read(directory.File("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST(StoredClassifier, SaysWhatIsMissingOrDoesNotFit) {
  TensorMap tensors = TwoClasses();
  ExpectDataLoss(tensors, 4, "for codes of width 3, but its codes have width 4");
  tensors.at(kClassifierBias).as<float>()[1] = NAN;
  ExpectDataLoss(tensors, 3, "expected finite f32");
  tensors = TwoClasses();
  tensors.erase(kClassifierWeights);
  ExpectDataLoss(tensors, 3, "\"classifier.weights\"");
  tensors.emplace(kClassifierWeights, Tensor(DType::kF16, {3, 2}));
  ExpectDataLoss(tensors, 3, "weights f16 [3, 2] and biases f32 [2]");
  tensors.clear();
  tensors.emplace(kClassifierWeights, Filled({3, 1}, {1, 1, 1}));
  tensors.emplace(kClassifierBias, Filled({1}, {0}));
  ExpectDataLoss(tensors, 3, "biases f32 [1]; expected");
  tensors.erase(kClassifierBias);
  tensors.emplace(kClassifierBias, Filled({2}, {0, 0}));
  ExpectDataLoss(tensors, 3, "weights f32 [3, 1] and biases f32 [2]");
}

// Codes of two numbers are the larger of them, and the classifier says which it is.
TEST(ClassificationError, IsTheShareOfRowsThatTheModelsOwnClassifierGetsWrong) {
  const auto backend = CreateBackend("", {1}).value();
  ModelBundle model;
  v1::KSparseSpec& spec = *model.description.mutable_encoder()->mutable_k_sparse();
  spec.set_units(2);
  spec.set_k(1);
  spec.set_encode_alpha(1);
  model.description.set_input_width(2);
  model.description.set_code_width(2);
  model.tensors.emplace("atoms", Filled({2, 2}, {1, 0, 0, 1}));
  model.tensors.emplace("bias", Filled({2}, {0, 0}));
  model.tensors.emplace("decoder_bias", Filled({2}, {0, 0}));
  auto rows = std::make_shared<Tensor>(Filled({4, 2}, {3, 1, 5, 2, 0, 4, 1, 2}));
  const Dataset data(rows, rows->rows(), {2}, {0, 1, 2, 3}, {0, 0, 1, 0});
  absl::Status status = ClassificationError(model, data, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"classifier.weights\""));
  model.tensors.emplace(kClassifierWeights, Filled({2, 2}, {1, 0, 0, 1}));
  model.tensors.emplace(kClassifierBias, Filled({2}, {0, 0}));
  const absl::StatusOr<double> error = ClassificationError(model, data, backend);
  ASSERT_TRUE(error.ok()) << error.status();
  EXPECT_EQ(*error, 0.25);

  const Dataset unlabelled(rows, rows->rows(), {2}, {0, 1}, {});
  status = ClassificationError(model, unlabelled, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no labels"));
  const Dataset narrow(rows, {DType::kF32, rows->data(), 8, 1}, {1}, {0, 1}, std::vector<int32_t>(8));
  status = ClassificationError(model, narrow, backend).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("width 1; the model reads rows of width 2"));
}

}  // namespace
}  // namespace kwta::stored_classifier_test
