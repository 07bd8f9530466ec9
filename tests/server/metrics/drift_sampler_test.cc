#include "server/metrics/drift_sampler.h"

#include <gtest/gtest.h>

#include <memory>

#include "server/metrics/model_series.h"
#include "tests/server/fake_encoder.h"

namespace kwta::server {
namespace {

// Reconstructs half of each row.
class HalfEncoder : public FakeEncoder {
 public:
  using FakeEncoder::FakeEncoder;
  absl::StatusOr<TrainedRows> ReconstructAsTrained(const RowsView& x) const override {
    const auto* floats = static_cast<const float*>(x.data);
    TrainedRows rows;
    rows.width = x.width;
    rows.x.assign(floats, floats + x.rows * x.width);
    for (const float value : rows.x) rows.reconstructions.push_back(value / 2);
    return rows;
  }
};

class DriftSamplerTest : public ::testing::Test {
 protected:
  std::shared_ptr<ServedModel> Served(const std::string& name, double training_unexplained) {
    auto model = std::make_shared<ServedModel>();
    model->name = name;
    model->version = 3;
    model->description.mutable_statistics()->set_fraction_variance_unexplained(training_unexplained);
    model->encoder = std::make_shared<HalfEncoder>(1, 4);
    model->use = series_.UseOf(*model);
    return model;
  }
  // Offers `rows` rows, 1 and -1 in turn, one batch at a time.
  void Offer(const ServedModelPtr& model, int64_t batches, int64_t rows) {
    std::vector<float> x(static_cast<size_t>(rows));
    for (int64_t i = 0; i < batches; ++i) {
      for (float& value : x) value = i % 2 == 0 ? 1 : -1;
      sampler_.Offer(model, {DType::kF32, x.data(), rows, 1});
    }
  }

  ModelSeries series_;
  DriftSampler sampler_;
};

TEST_F(DriftSamplerTest, ReconstructsOneRowInAHundred) {
  const auto model = Served("digits", 0.2);
  for (int i = 0; i < 100; ++i) {
    Offer(model, 2, 100);
    while (sampler_.SampleOne()) {
    }
  }
  const ModelActivity activity = model->use->Activity();
  EXPECT_NEAR(static_cast<double>(activity.drift_rows), 200, 2);
  EXPECT_NEAR(activity.live_unexplained, 0.25, 0.01);
  EXPECT_DOUBLE_EQ(activity.training_unexplained, 0.2);
}

TEST_F(DriftSamplerTest, KeepsFewRowsWaitingOfAModelAndLeavesRoomForOthers) {
  const auto busy = Served("busy", 0.2), quiet = Served("quiet", 0.2);
  Offer(busy, 1000, 256);
  Offer(quiet, 1, 256);
  int sampled = 0;
  while (sampler_.SampleOne()) ++sampled;
  EXPECT_EQ(sampled, 5);
  EXPECT_EQ(busy->use->Activity().drift_rows, 4u);
  EXPECT_EQ(quiet->use->Activity().drift_rows, 1u);
}

TEST_F(DriftSamplerTest, LeavesOutWhatHasNothingToCompareWith) {
  Offer(Served("tuned", 0), 10, 256);
  EXPECT_FALSE(sampler_.SampleOne());
  FakeModel unmeasured = MakeFakeModel("unmeasured", 1, 4);
  Offer(unmeasured.served, 10, 256);
  EXPECT_FALSE(sampler_.SampleOne());
}

TEST_F(DriftSamplerTest, AnEncoderThatCannotTellIsNoError) {
  const auto model = Served("other", 0.2);
  model->encoder = std::make_shared<FakeEncoder>(1, 4);
  Offer(model, 1, 256);
  EXPECT_TRUE(sampler_.SampleOne());
  EXPECT_EQ(model->use->Activity().drift_rows, 0u);
}

TEST_F(DriftSamplerTest, ItsThreadEndsWithIt) {
  const auto model = Served("digits", 0.2);
  auto sampler = std::make_unique<DriftSampler>();
  sampler->Start();
  const float x = 1;
  sampler->Offer(model, {DType::kF32, &x, 1, 1});
  sampler.reset();
  EXPECT_LE(model->use->Activity().drift_rows, 1u);
}

}  // namespace
}  // namespace kwta::server
