#include "core/research/reproduction/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "core/base/rng.h"
#include "tests/temporary_directory.h"

namespace kwta::classification_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Images of two pixels, labelled by whether the left one is the brighter: mirror images belie their labels.
Dataset BrighterSide(int64_t rows, uint64_t seed) {
  auto pixels = std::make_shared<Tensor>(DType::kF32, Shape{rows, 1, 2});
  std::vector<int32_t> labels;
  std::vector<uint32_t> order;
  Rng rng(seed);
  for (int64_t i = 0; i < rows; ++i) {
    float* image = pixels->as<float>() + 2 * i;
    labels.push_back(static_cast<int32_t>(i % 2));
    order.push_back(static_cast<uint32_t>(i));
    image[labels.back()] = static_cast<float>(1 + rng.Uniform());
  }
  const RowsView view = pixels->rows();
  return Dataset(std::move(pixels), view, {1, 2}, std::move(order), std::move(labels));
}

class ClassificationTest : public testing::Test {
 protected:
  ClassificationTest() {
    options_.output_directory = directory_.path();
    options_.threads = 1;
    auto bench = Workbench::Create(options_);
    EXPECT_TRUE(bench.ok()) << bench.status();
    if (bench.ok()) bench_ = std::move(*bench);
    plan_.label = "made-up images";
    plan_.key = {{"pixels", "made up"}};
    plan_.training = &training_;
    plan_.test = &test_;
    plan_.grid.validation_rows = 100;
    plan_.grid.l2 = {1e-6};
    plan_.probes = {{}};
    plan_.choices = {{"pixels", [this](const Dataset& data) -> absl::StatusOr<Tensor> {
                        computed_.push_back(data.rows());
                        return StoredRows(data);
                      }}};
  }

  double TestError() {
    const absl::StatusOr<nlohmann::json> result = Classify(*bench_, plan_);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? (*result)["test_error"].get<double>() : -1;
  }

  const TemporaryDirectory directory_;
  ReproductionOptions options_;
  std::unique_ptr<Workbench> bench_;
  const Dataset training_ = BrighterSide(400, 1), test_ = BrighterSide(50, 2);
  ClassificationPlan plan_;
  std::vector<int64_t> computed_;  // rows of each data set whose features were asked for
};

TEST_F(ClassificationTest, KeepsFeaturesForThePlanThatNeedsAPartOfThem) {
  plan_.kept = std::make_shared<KeptFeatures>();
  plan_.mirrored = true;
  EXPECT_GT(TestError(), 20);
  EXPECT_THAT(computed_, ElementsAre(800, 50));
  computed_.clear();
  plan_.mirrored = false;
  EXPECT_EQ(TestError(), 0);
  EXPECT_THAT(computed_, ElementsAre(50));
  computed_.clear();
  EXPECT_EQ(TestError(), 0);  // what was measured is remembered
  EXPECT_THAT(computed_, IsEmpty());
}

TEST_F(ClassificationTest, DoesNotTakeFeaturesThatAreOthers) {
  plan_.kept = std::make_shared<KeptFeatures>();
  EXPECT_EQ(TestError(), 0);
  plan_.key = {{"pixels", "others"}};
  EXPECT_EQ(TestError(), 0);
  plan_.mirrored = true;  // the features that are kept are a part only
  EXPECT_GT(TestError(), 20);
  EXPECT_THAT(computed_, ElementsAre(400, 50, 400, 50, 800, 50));
}

}  // namespace
}  // namespace kwta::classification_test
