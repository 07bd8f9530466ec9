#include "core/evaluation/linear_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/base/rng.h"
#include "tests/core/evaluation/labelled_rows.h"

namespace kwta::linear_probe_test {
namespace {

using testing::HasSubstr;

TEST(FeatureRows, GiveTheNonZeroEntriesOfARow) {
  const std::vector<float> dense = {0, 2, 0, -1, 0.5f, 0};
  const DenseFeatures features(RowsView{DType::kF32, dense.data(), 2, 3});
  FeatureScratch scratch;
  FeatureRow row = features.Row(1, &scratch);
  ASSERT_EQ(row.entries, 2);
  EXPECT_EQ(row.indices[0], 0);
  EXPECT_EQ(row.indices[1], 1);
  EXPECT_EQ(row.values[0], -1);
  EXPECT_EQ(row.values[1], 0.5f);
  const SparseCodes codes = ToCodes({{0, 2, 0}, {-1, 0.5f, 0}});
  row = CodeFeatures(codes).Row(0, &scratch);
  ASSERT_EQ(row.entries, 1);
  EXPECT_EQ(row.indices[0], 1);
  EXPECT_EQ(row.values[0], 2);
}

TEST(LinearProbe, FollowsTheFeaturesAndWithoutAnyThePrior) {
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  for (int i = 0; i < 400; ++i) {
    labels.push_back(i % 4 == 0 ? 1 : 0);
    points.push_back({labels.back() == 0 ? 1.0f : 0.0f, labels.back() == 1 ? 1.0f : 0.0f});
  }
  const SparseCodes codes = ToCodes(points);
  const CodeFeatures features(codes);
  const LabelledFeatures data{&features, labels, 2};
  const auto probe = LinearProbe::Fit(data, AllRows(400), {});
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(probe->ErrorRate(data), 0);

  // Where every feature is zero only the biases can learn: everything is class 0.
  const SparseCodes nothing = ToCodes(std::vector<std::vector<float>>(400, {0, 0}));
  const CodeFeatures no_features(nothing);
  const LabelledFeatures blind{&no_features, labels, 2};
  EXPECT_EQ(LinearProbe::Fit(blind, AllRows(400), {})->ErrorRate(blind), 0.25);
}

TEST(LinearProbe, LearnsFromEveryViewAndIsJudgedByTheFirst) {
  // Feature 0 tells the classes apart in the first view, feature 1 in the second.
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  for (int view = 0; view < 2; ++view) {
    for (int i = 0; i < 200; ++i) {
      points.emplace_back(2);
      points.back()[view] = i % 2 == 0 ? 1.0f : -1.0f;
      if (view == 0) labels.push_back(i % 2);
    }
  }
  const SparseCodes codes = ToCodes(points);
  const CodeFeatures features(codes);
  const LabelledFeatures data{&features, labels, 2, 2};
  const auto probe = LinearProbe::Fit(data, AllRows(200), {});
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->ErrorRate(data), 0);
  for (const auto& [point, label] : {std::pair<std::vector<float>, int>{{1, 0}, 0}, {{0, 1}, 0}, {{0, -1}, 1}}) {
    const SparseCodes code = ToCodes({point});
    FeatureScratch scratch;
    EXPECT_EQ(probe->Predict(CodeFeatures(code).Row(0, &scratch)), label);
  }
  // The second view's labels are those of the first.
  const auto refused = LinearProbe::Fit({&features, labels, 2, 3}, AllRows(200), {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(refused.status().message(), HasSubstr("200 labels for 400 rows in 3 views"));
}

TEST(LinearProbe, ComesCloseToTheBestLinearClassifierOfGaussianClasses) {
  // Two unit Gaussians at distance 2: no classifier has an error below Phi(-1) = 15.87%.
  Rng rng(5);
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  for (int i = 0; i < 20'000; ++i) {
    labels.push_back(static_cast<int32_t>(rng.UniformBelow(2)));
    points.push_back(
        {static_cast<float>(rng.Gaussian() + (labels.back() == 0 ? 5.0 : 7.0)), static_cast<float>(rng.Gaussian())});
  }
  const SparseCodes codes = ToCodes(points);
  const CodeFeatures features(codes);
  const LabelledFeatures data{&features, labels, 2};
  const std::vector<uint32_t> all = AllRows(20'000);
  const absl::Span<const uint32_t> rows(all);
  const auto probe = LinearProbe::Fit(data, rows.subspan(0, 10'000), {});
  ASSERT_TRUE(probe.ok());
  const double error = probe->ErrorRate(data, rows.subspan(10'000));
  EXPECT_NEAR(error, 0.1587, 0.012);  // three standard deviations of 10,000 rows
}

TEST(LinearProbe, LearnsManyClassesFromCodesAndDenseRowsAlike) {
  const Blobs train(3000, 20, 0.1, 1), test(1000, 20, 0.1, 2);  // more classes than one vector holds
  const CodeFeatures codes(train.codes), test_codes(test.codes);
  const auto probe = LinearProbe::Fit({&codes, train.labels, 20}, AllRows(3000), {});
  ASSERT_TRUE(probe.ok());
  const double error = probe->ErrorRate({&test_codes, test.labels, 20});
  EXPECT_LT(error, 0.5);  // guessing has 0.95

  Tensor dense(DType::kF32, {3000, 6}), test_dense(DType::kF32, {1000, 6});
  train.codes.ToDense(dense.as<float>());
  test.codes.ToDense(test_dense.as<float>());
  const DenseFeatures rows(dense.rows()), test_rows(test_dense.rows());
  const auto dense_probe = LinearProbe::Fit({&rows, train.labels, 20}, AllRows(3000), {});
  ASSERT_TRUE(dense_probe.ok());
  EXPECT_EQ(dense_probe->ErrorRate({&test_rows, test.labels, 20}), error);  // the same numbers, the same classifier
}

TEST(LinearProbe, DoesNotDependOnTheScaleOfTheFeatures) {
  const Blobs blobs(500, 4, 0.5, 3);
  SparseCodes scaled = blobs.codes;
  for (float& value : scaled.values) value *= 1024;  // a power of two: no rounding
  const CodeFeatures features(blobs.codes), scaled_features(scaled);
  const LabelledFeatures data{&features, blobs.labels, 4}, scaled_data{&scaled_features, blobs.labels, 4};
  const double error = LinearProbe::Fit(data, AllRows(500), {})->ErrorRate(data);
  EXPECT_EQ(LinearProbe::Fit(scaled_data, AllRows(500), {})->ErrorRate(scaled_data), error);
}

TEST(LinearProbe, StopsTheScheduleEarlyIfToldTo) {
  const Blobs blobs(500, 4, 0.5, 4);
  const CodeFeatures features(blobs.codes);
  const LabelledFeatures data{&features, blobs.labels, 4};
  std::vector<double> errors;
  const auto record = [&](int epochs_done, const LinearProbe& probe) {
    errors.push_back(probe.ErrorRate(data));
    EXPECT_EQ(static_cast<int>(errors.size()), epochs_done);
    return absl::OkStatus();
  };
  ASSERT_TRUE(LinearProbe::Fit(data, AllRows(500), {}, record).ok());
  ASSERT_EQ(errors.size(), 20u);
  const auto enough = [](int epochs_done, const LinearProbe&) {
    return epochs_done == 4 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  EXPECT_EQ(LinearProbe::Fit(data, AllRows(500), {}, enough).status(), absl::CancelledError("enough"));
  LinearProbeOptions options;
  options.epochs = 3;
  EXPECT_EQ(LinearProbe::Fit(data, AllRows(500), options)->ErrorRate(data), errors[2]);
}

// Two rows, x = 1 and x = -1, one of each class. By symmetry the classes' weights are w and -w without bias, and each
// class adds mean (1 - w)^2 and l2 / 2 w^2 to the objective: w = 2 / (2 + l2).
TEST(LinearProbe, SupportVectorMachineFindsTheMinimumOfItsObjective) {
  const std::vector<float> values = {1, -1};
  const std::vector<int32_t> labels = {0, 1};
  const DenseFeatures features({DType::kF32, values.data(), 2, 1});
  LinearProbeOptions options;
  options.loss = ProbeLoss::kSquaredHinge;
  options.epochs = options.schedule_epochs = 2000;
  for (const double l2 : {0.5, 2.0}) {
    options.l2 = l2;
    const auto probe = LinearProbe::Fit({&features, labels, 2}, AllRows(2), options);
    ASSERT_TRUE(probe.ok());
    EXPECT_NEAR(probe->weights()[0], 2 / (2 + l2), 1e-3);
    EXPECT_NEAR(probe->weights()[1], -2 / (2 + l2), 1e-3);
    EXPECT_NEAR(probe->weights()[probe->lanes()], 0, 1e-3);  // a bias
  }
}

TEST(LinearProbe, SupportVectorMachineClassifiesCodes) {
  const Blobs train(3000, 8, 0.1, 1), test(1000, 8, 0.1, 2);
  const CodeFeatures codes(train.codes), test_codes(test.codes);
  LinearProbeOptions options;
  options.loss = ProbeLoss::kSquaredHinge;
  const auto probe = LinearProbe::Fit({&codes, train.labels, 8}, AllRows(3000), options);
  ASSERT_TRUE(probe.ok());
  EXPECT_LT(probe->ErrorRate({&test_codes, test.labels, 8}), 0.35);  // guessing has 0.875
}

TEST(LinearProbe, OnCentredFeaturesDoesNotSeeAnOffset) {
  const Blobs blobs(600, 4, 0.5, 11);
  Tensor plain(DType::kF32, {600, 6}), moved(DType::kF32, {600, 6});
  blobs.codes.ToDense(plain.as<float>());
  for (int64_t e = 0; e < 3600; ++e) moved.as<float>()[e] = plain.as<float>()[e] + 8;
  const DenseFeatures features(plain.rows()), moved_features(moved.rows());
  const CodeFeatures codes(blobs.codes);
  LinearProbeOptions options;
  options.scaling = FeatureScaling::kCentred;
  const LabelledFeatures data{&features, blobs.labels, 4}, moved_data{&moved_features, blobs.labels, 4};
  const auto probe = LinearProbe::Fit(data, AllRows(600), options);
  const auto moved_probe = LinearProbe::Fit(moved_data, AllRows(600), options);
  const auto code_probe = LinearProbe::Fit({&codes, blobs.labels, 4}, AllRows(600), options);
  ASSERT_TRUE(probe.ok() && moved_probe.ok() && code_probe.ok());
  EXPECT_LT(probe->ErrorRate(data), 0.4);
  EXPECT_NEAR(moved_probe->ErrorRate(moved_data), probe->ErrorRate(data), 0.01);
  // Codes that are centred are dense features.
  EXPECT_EQ(code_probe->weights(), probe->weights());
  FeatureScratch scratch;
  int64_t wrong = 0;
  for (int64_t i = 0; i < 600; ++i) wrong += probe->Predict(features.Row(i, &scratch)) != blobs.labels[i];
  EXPECT_NEAR(static_cast<double>(wrong) / 600, probe->ErrorRate(data), 0.005);  // a row alone and in a block
}

// Dropout acts as a penalty on weights: where one feature tells all, they do not grow without end.
TEST(LinearProbe, DropoutHoldsTheWeightsBack) {
  const int64_t width = 5;
  Rng rng(12);
  Tensor rows(DType::kF32, {1000, width});
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < 1000; ++i) {
    labels.push_back(static_cast<int32_t>(rng.UniformBelow(2)));
    for (int64_t d = 0; d < width; ++d) {
      const bool flipped = d > 0 && rng.UniformBelow(5) == 0;
      rows.as<float>()[i * width + d] = (labels[i] == 1) != flipped ? 1.0f : -1.0f;
    }
  }
  const DenseFeatures features(rows.rows());
  const auto length = [&](double dropout) {
    LinearProbeOptions options;
    options.scaling = FeatureScaling::kCentred;
    options.dropout = dropout;
    options.l2 = 0;
    options.epochs = options.schedule_epochs = 100;
    const auto probe = LinearProbe::Fit({&features, labels, 2}, AllRows(1000), options);
    EXPECT_TRUE(probe.ok());
    EXPECT_LT(probe->ErrorRate({&features, labels, 2}), 0.1);
    double squared = 0;
    for (int64_t d = 0; d < width; ++d) squared += std::pow(probe->weights()[d * probe->lanes()], 2);
    return std::sqrt(squared);
  };
  EXPECT_LT(length(0.5), 0.8 * length(0));
}

TEST(LinearProbe, RefusesWhatDoesNotFit) {
  const Blobs blobs(10, 4, 0.5, 5);
  const CodeFeatures features(blobs.codes);
  const auto message = [&](const LabelledFeatures& data, const std::vector<uint32_t>& rows,
                           const LinearProbeOptions& options) {
    const absl::Status status = LinearProbe::Fit(data, rows, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  std::vector<int32_t> labels = blobs.labels;
  EXPECT_THAT(message({&features, labels, 4}, {}, {}), HasSubstr("no rows to train"));
  EXPECT_THAT(message({&features, labels, 1}, {0}, {}), HasSubstr("classes is 1"));
  LinearProbeOptions options;
  options.epochs = 21;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options), HasSubstr("epochs 21 of 20"));
  options = {};
  options.l2 = -1;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options), HasSubstr("l2 -1"));
  options = {};
  options.dropout = 0.5;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options),
              HasSubstr("dropout 0.5; expected 0 .. 1 without 1, and 0"));
  options.scaling = FeatureScaling::kCentred;
  options.dropout = 1;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options), HasSubstr("dropout 1;"));
  labels[3] = 4;
  EXPECT_THAT(message({&features, labels, 4}, {0}, {}), HasSubstr("label 4 of row 3 is not in 0 .. 3"));
  labels.pop_back();
  EXPECT_THAT(message({&features, labels, 4}, {0}, {}), HasSubstr("9 labels for 10 rows"));
}

}  // namespace
}  // namespace kwta::linear_probe_test
