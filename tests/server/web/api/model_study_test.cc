#include "server/web/api/model_study.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/server/web/api/small_models.h"

namespace kwta::server {
namespace {

constexpr int64_t kWidth = 784;

TEST(ModelStudyTest, UnitsAreCountedOverTheTrainingData) {
  const auto model = Serve(BrightnessBundle());
  const absl::StatusOr<ModelStudyPtr> made = StudyModel(*model, {KWTA_TEST_DATA "/datasets"});
  ASSERT_TRUE(made.ok()) << made.status();
  const ModelStudy& study = **made;
  const int64_t rows = study.rows.rows().rows;
  EXPECT_EQ(rows, 512);
  EXPECT_EQ(study.units, 2);
  EXPECT_EQ(study.dead_units, 1);
  EXPECT_FLOAT_EQ(study.use[0], 1);
  EXPECT_EQ(study.use[1], 0);
  EXPECT_DOUBLE_EQ(study.active_fraction, 0.5);
  const std::vector<int64_t>& counts = study.activities.counts;
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), int64_t{0}), rows);
  // The brightest image excites the first unit most; nothing excites the second.
  const auto brightness = [&study](int64_t row) {
    const auto* pixels = static_cast<const uint8_t*>(study.rows.rows().row(row));
    return std::accumulate(pixels, pixels + kWidth, 0.0) / 255;
  };
  double most = 0;
  for (int64_t i = 0; i < rows; ++i) most = std::max(most, brightness(i));
  EXPECT_NEAR(brightness(study.exciting[0]), most, 1e-3);
  EXPECT_NEAR(study.excitement[0], most, 1e-2);
  for (int64_t i = 1; i < ModelStudy::kExciting; ++i) EXPECT_LE(study.excitement[i], study.excitement[i - 1]);
  EXPECT_EQ(study.exciting[ModelStudy::kExciting], -1);
}

TEST(ModelStudyTest, AMissingDataSetSaysSo) {
  const auto model = Serve(BrightnessBundle());
  model->description.mutable_dataset()->set_path("gone.npy");
  EXPECT_EQ(StudyModel(*model, {KWTA_TEST_DATA "/datasets"}).status().code(), absl::StatusCode::kNotFound);
}

TEST(ModelStudyTest, HugeDataSetsAreNotRead) {
  const auto model = Serve(BrightnessBundle());
  model->description.mutable_statistics()->set_training_rows(10'000'000);
  EXPECT_EQ(StudyModel(*model, {KWTA_TEST_DATA "/datasets"}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ModelStudyTest, AStudyIsKeptAsLongAsItsModel) {
  ModelStudies studies({KWTA_TEST_DATA "/datasets"});
  const ServedModelPtr model = Serve(BrightnessBundle());
  const absl::StatusOr<ModelStudyPtr> first = studies.Get(model);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*studies.Get(model), *first);
  EXPECT_NE(*studies.Get(Serve(BrightnessBundle())), *first);
}

}  // namespace
}  // namespace kwta::server
