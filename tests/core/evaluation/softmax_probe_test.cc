#include "core/evaluation/softmax_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "core/base/rng.h"
#include "core/io/dataset.h"

namespace kwta {
namespace {

using testing::HasSubstr;

// Rows as codes, zeros left out.
SparseCodes ToCodes(const std::vector<std::vector<float>>& rows) {
  SparseCodes codes;
  codes.units = static_cast<int64_t>(rows.front().size());
  for (const auto& row : rows) {
    for (size_t h = 0; h < row.size(); ++h) {
      if (row[h] == 0) continue;
      codes.indices.push_back(static_cast<int32_t>(h));
      codes.values.push_back(row[h]);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

std::vector<uint32_t> AllRows(int64_t rows) {
  std::vector<uint32_t> all(rows);
  std::iota(all.begin(), all.end(), 0u);
  return all;
}

Preprocessor DefaultPreprocessor() {
  v1::PreprocessingSpec spec;
  EXPECT_TRUE(ResolvePreprocessing(&spec).ok());
  return Preprocessor(spec, {});
}

// `rows` points around `classes` centres in 6 dimensions, about a third of the coordinates zero.
struct Blobs {
  Blobs(int64_t rows, int classes, double spread, uint64_t seed) {
    Rng rng(seed);
    Rng centre_rng(77);
    std::vector<double> centres(classes * 6);
    for (double& centre : centres) centre = centre_rng.Gaussian();
    for (int64_t i = 0; i < rows; ++i) {
      labels.push_back(static_cast<int32_t>(rng.UniformBelow(classes)));
      points.emplace_back(6);
      for (int d = 0; d < 6; ++d) {
        const double noise = spread * rng.Gaussian();
        points[i][d] = rng.UniformBelow(3) == 0 ? 0.0f : static_cast<float>(centres[labels[i] * 6 + d] + noise);
      }
    }
    codes = ToCodes(points);
  }
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  SparseCodes codes;
};

TEST(FeatureRows, GiveTheNonZeroEntriesOfARow) {
  const std::vector<float> dense = {0, 2, 0, -1, 0.5f, 0};
  const Preprocessor preprocessor = DefaultPreprocessor();
  const DenseFeatures features({DType::kF32, dense.data(), 2, 3}, preprocessor);
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

TEST(SoftmaxProbe, FollowsTheFeaturesAndWithoutAnyThePrior) {
  std::vector<std::vector<float>> points;
  std::vector<int32_t> labels;
  for (int i = 0; i < 400; ++i) {
    labels.push_back(i % 4 == 0 ? 1 : 0);
    points.push_back({labels.back() == 0 ? 1.0f : 0.0f, labels.back() == 1 ? 1.0f : 0.0f});
  }
  const SparseCodes codes = ToCodes(points);
  const CodeFeatures features(codes);
  const LabelledFeatures data{&features, labels, 2};
  const auto probe = SoftmaxProbe::Fit(data, AllRows(400), {});
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(probe->ErrorRate(data), 0);

  // Where every feature is zero only the biases can learn: everything is class 0.
  const SparseCodes nothing = ToCodes(std::vector<std::vector<float>>(400, {0, 0}));
  const CodeFeatures no_features(nothing);
  const LabelledFeatures blind{&no_features, labels, 2};
  EXPECT_EQ(SoftmaxProbe::Fit(blind, AllRows(400), {})->ErrorRate(blind), 0.25);
}

TEST(SoftmaxProbe, ComesCloseToTheBestLinearClassifierOfGaussianClasses) {
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
  const auto probe = SoftmaxProbe::Fit(data, rows.subspan(0, 10'000), {});
  ASSERT_TRUE(probe.ok());
  const double error = probe->ErrorRate(data, rows.subspan(10'000));
  EXPECT_NEAR(error, 0.1587, 0.012);  // three standard deviations of 10,000 rows
}

TEST(SoftmaxProbe, LearnsManyClassesFromCodesAndDenseRowsAlike) {
  const Blobs train(3000, 20, 0.1, 1), test(1000, 20, 0.1, 2);  // more classes than one vector holds
  const CodeFeatures codes(train.codes), test_codes(test.codes);
  const auto probe = SoftmaxProbe::Fit({&codes, train.labels, 20}, AllRows(3000), {});
  ASSERT_TRUE(probe.ok());
  const double error = probe->ErrorRate({&test_codes, test.labels, 20});
  EXPECT_LT(error, 0.5);  // guessing has 0.95

  Tensor dense(DType::kF32, {3000, 6}), test_dense(DType::kF32, {1000, 6});
  train.codes.ToDense(dense.as<float>());
  test.codes.ToDense(test_dense.as<float>());
  const Preprocessor preprocessor = DefaultPreprocessor();
  const DenseFeatures rows(dense.rows(), preprocessor), test_rows(test_dense.rows(), preprocessor);
  const auto dense_probe = SoftmaxProbe::Fit({&rows, train.labels, 20}, AllRows(3000), {});
  ASSERT_TRUE(dense_probe.ok());
  EXPECT_EQ(dense_probe->ErrorRate({&test_rows, test.labels, 20}), error);  // the same numbers, the same classifier
}

TEST(SoftmaxProbe, DoesNotDependOnTheScaleOfTheFeatures) {
  const Blobs blobs(500, 4, 0.5, 3);
  SparseCodes scaled = blobs.codes;
  for (float& value : scaled.values) value *= 1024;  // a power of two: no rounding
  const CodeFeatures features(blobs.codes), scaled_features(scaled);
  const LabelledFeatures data{&features, blobs.labels, 4}, scaled_data{&scaled_features, blobs.labels, 4};
  const double error = SoftmaxProbe::Fit(data, AllRows(500), {})->ErrorRate(data);
  EXPECT_EQ(SoftmaxProbe::Fit(scaled_data, AllRows(500), {})->ErrorRate(scaled_data), error);
}

TEST(SoftmaxProbe, StopsTheScheduleEarlyIfToldTo) {
  const Blobs blobs(500, 4, 0.5, 4);
  const CodeFeatures features(blobs.codes);
  const LabelledFeatures data{&features, blobs.labels, 4};
  std::vector<double> errors;
  const auto record = [&](int epochs_done, const SoftmaxProbe& probe) {
    errors.push_back(probe.ErrorRate(data));
    EXPECT_EQ(static_cast<int>(errors.size()), epochs_done);
  };
  ASSERT_TRUE(SoftmaxProbe::Fit(data, AllRows(500), {}, record).ok());
  ASSERT_EQ(errors.size(), 20u);
  SoftmaxProbeOptions options;
  options.epochs = 3;
  EXPECT_EQ(SoftmaxProbe::Fit(data, AllRows(500), options)->ErrorRate(data), errors[2]);
}

TEST(SoftmaxProbe, RefusesWhatDoesNotFit) {
  const Blobs blobs(10, 4, 0.5, 5);
  const CodeFeatures features(blobs.codes);
  const auto message = [&](const LabelledFeatures& data, const std::vector<uint32_t>& rows,
                           const SoftmaxProbeOptions& options) {
    const absl::Status status = SoftmaxProbe::Fit(data, rows, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  std::vector<int32_t> labels = blobs.labels;
  EXPECT_THAT(message({&features, labels, 4}, {}, {}), HasSubstr("no rows to train"));
  EXPECT_THAT(message({&features, labels, 1}, {0}, {}), HasSubstr("classes is 1"));
  SoftmaxProbeOptions options;
  options.epochs = 21;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options), HasSubstr("epochs 21 of 20"));
  options = {};
  options.l2 = -1;
  EXPECT_THAT(message({&features, labels, 4}, {0}, options), HasSubstr("l2 -1"));
  labels[3] = 4;
  EXPECT_THAT(message({&features, labels, 4}, {0}, {}), HasSubstr("label 4 of row 3 is not in 0 .. 3"));
  labels.pop_back();
  EXPECT_THAT(message({&features, labels, 4}, {0}, {}), HasSubstr("9 labels for 10 rows"));
}

TEST(SelectProbe, DoesNotDependOnTheNumberOfThreads) {
  const Blobs blobs(1500, 8, 0.8, 6), test(1500, 8, 0.8, 7);
  const CodeFeatures features(blobs.codes), test_features(test.codes);
  ProbeGrid grid;
  grid.validation_rows = 300;
  std::vector<double> errors;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<double> progress;
    const auto selected = SelectProbe({&features, blobs.labels, 8}, {}, grid, pool,
                                      [&](double fraction) { progress.push_back(fraction); });
    ASSERT_TRUE(selected.ok());
    EXPECT_GT(selected->validation_error, 0);
    errors.push_back(selected->probe.ErrorRate({&test_features, test.labels, 8}));
    errors.push_back(selected->options.l2);
    errors.push_back(selected->options.epochs);
    EXPECT_TRUE(std::is_sorted(progress.begin(), progress.end()));
    EXPECT_NEAR(progress.back(), 1.0, 1e-9);
  }
  ASSERT_EQ(errors.size(), 6u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(errors[i], errors[i + 3]);
}

TEST(SelectProbe, PrefersTheGridValueThatValidatesBest) {
  const Blobs blobs(1500, 8, 0.3, 8);
  const CodeFeatures features(blobs.codes);
  ThreadPool pool(2);
  ProbeGrid grid;
  grid.validation_rows = 500;
  grid.l2 = {1e3, 1e-6};  // the first lets the weights be nothing but zero
  const auto selected = SelectProbe({&features, blobs.labels, 8}, {}, grid, pool);
  ASSERT_TRUE(selected.ok());
  EXPECT_EQ(selected->options.l2, 1e-6);
  EXPECT_LT(selected->validation_error, 0.6);
}

TEST(SelectProbe, RefusesSplitsThatLeaveNothing) {
  const Blobs blobs(10, 4, 0.5, 9);
  const CodeFeatures features(blobs.codes);
  ThreadPool pool(1);
  for (const int64_t validation_rows : {0, 10, 10'000}) {
    ProbeGrid grid;
    grid.validation_rows = validation_rows;
    const absl::Status status = SelectProbe({&features, blobs.labels, 4}, {}, grid, pool).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected at least one value and 1 .. 9 validation rows"));
  }
}

TEST(SelectProbe, ReachesWhatPixelsOfRealImagesAllow) {
  v1::DatasetRef reference;
  reference.set_name("fashion-mnist");
  const Dataset data = LoadDataset(reference, {{KWTA_TEST_DATA "/datasets"}}).value();
  Tensor pixels(DType::kU8, {data.rows(), data.width()});
  const std::vector<uint32_t> all = AllRows(data.rows());
  data.Gather(all.data(), data.rows(), pixels.data());
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < data.rows(); ++i) labels.push_back(data.label(i));
  const Preprocessor preprocessor = DefaultPreprocessor();
  const DenseFeatures training(pixels.rows().Slice(0, 1500), preprocessor);
  const DenseFeatures test(pixels.rows().Slice(1500, 500), preprocessor);
  ThreadPool pool(2);
  ProbeGrid grid;
  grid.validation_rows = 300;
  const absl::Span<const int32_t> all_labels(labels);
  const auto selected = SelectProbe({&training, all_labels.subspan(0, 1500), 10}, {}, grid, pool);
  ASSERT_TRUE(selected.ok());
  EXPECT_LT(selected->probe.ErrorRate({&test, all_labels.subspan(1500), 10}), 0.24);
}

}  // namespace
}  // namespace kwta
