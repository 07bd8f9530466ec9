// Choosing a probe; see core/evaluation/probe_selection.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/evaluation/linear_probe.h"
#include "core/io/datasets/dataset.h"
#include "tests/core/evaluation/labelled_rows.h"

namespace kwta::probe_selection_test {
namespace {

using testing::HasSubstr;

TEST(SelectProbe, DoesNotDependOnTheNumberOfThreads) {
  const Blobs blobs(1500, 8, 0.8, 6), test(1500, 8, 0.8, 7);
  const CodeFeatures features(blobs.codes), test_features(test.codes);
  ProbeGrid grid;
  grid.validation_rows = 300;
  std::vector<double> errors;
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::vector<double> progress;
    const auto selected = SelectProbe({&features, blobs.labels, 8}, {}, grid, pool, [&](double fraction) {
      progress.push_back(fraction);
      return absl::OkStatus();
    });
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

TEST(SelectProbe, EndsWhenItsProgressSaysSo) {
  const Blobs blobs(600, 4, 0.3, 8);
  const CodeFeatures features(blobs.codes);
  ThreadPool pool(2);
  ProbeGrid grid;
  grid.validation_rows = 200;
  for (const double end : {0.2, 0.95}) {  // while choosing, and while fitting what was chosen
    double reached = 0;
    const auto selected = SelectProbe({&features, blobs.labels, 4}, {}, grid, pool, [&](double fraction) {
      reached = std::max(reached, fraction);
      return fraction < end ? absl::OkStatus() : absl::CancelledError("enough");
    });
    EXPECT_EQ(selected.status(), absl::CancelledError("enough"));
    EXPECT_LT(reached, end + 0.05);
  }
}

TEST(SelectProbe, JudgesARowByNoViewThatItWasTrainedOn) {
  // Labels at random, and a feature of each row's own in both of its views: who trains on one view of a row that is
  // held out knows its label, others can only guess.
  std::vector<std::vector<float>> points(1200, std::vector<float>(600));
  for (size_t i = 0; i < points.size(); ++i) points[i][i % 600] = 1;
  const SparseCodes codes = ToCodes(points);
  Rng rng(13);
  std::vector<int32_t> labels;
  for (int i = 0; i < 600; ++i) labels.push_back(static_cast<int32_t>(rng.UniformBelow(2)));
  const CodeFeatures features(codes);
  ThreadPool pool(2);
  ProbeGrid grid;
  grid.validation_rows = 300;
  grid.l2 = {1e-6};
  const auto chosen = ChooseProbe({&features, labels, 2, 2}, {}, grid, pool);
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_GT(chosen->validation_error, 0.35);
  EXPECT_LT(chosen->validation_error, 0.65);
}

TEST(SelectProbe, ChoosesDropoutToo) {
  const Blobs blobs(1500, 8, 0.3, 10);
  const CodeFeatures features(blobs.codes);
  ThreadPool pool(2);
  LinearProbeOptions base;
  base.scaling = FeatureScaling::kStandardised;
  ProbeGrid grid;
  grid.validation_rows = 500;
  grid.l2 = {1e-6};
  grid.dropout = {0.95, 0};  // of six features the first leaves none in most updates
  const auto selected = SelectProbe({&features, blobs.labels, 8}, base, grid, pool);
  ASSERT_TRUE(selected.ok());
  EXPECT_EQ(selected->options.dropout, 0);
  EXPECT_EQ(selected->options.scaling, FeatureScaling::kStandardised);
}

TEST(SelectProbe, JudgesOnlyTheEndOfTheScheduleIfEpochsAreNotChosen) {
  const Blobs blobs(600, 8, 1.2, 11);  // that overlap: a classifier of so few rows is best early
  const CodeFeatures features(blobs.codes);
  ThreadPool pool(2);
  LinearProbeOptions base;
  base.epochs = base.schedule_epochs = 60;
  base.learning_rate = 1;
  ProbeGrid grid;
  grid.validation_rows = 300;
  grid.l2 = {0};
  const auto best = SelectProbe({&features, blobs.labels, 8}, base, grid, pool);
  ASSERT_TRUE(best.ok());
  ASSERT_LT(best->options.epochs, 60);
  grid.choose_epochs = false;
  const auto last = SelectProbe({&features, blobs.labels, 8}, base, grid, pool);
  ASSERT_TRUE(last.ok());
  EXPECT_EQ(last->options.epochs, 60);
  EXPECT_GT(last->validation_error, best->validation_error);
  EXPECT_LT(last->validation_error, 1);
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
  const std::vector<int32_t> labels = data.Labels();
  const DenseFeatures training(pixels.rows().Slice(0, 1500));
  const DenseFeatures test(pixels.rows().Slice(1500, 500));
  ThreadPool pool(2);
  ProbeGrid grid;
  grid.validation_rows = 300;
  const absl::Span<const int32_t> all_labels(labels);
  const auto selected = SelectProbe({&training, all_labels.subspan(0, 1500), 10}, {}, grid, pool);
  ASSERT_TRUE(selected.ok());
  EXPECT_LT(selected->probe.ErrorRate({&test, all_labels.subspan(1500), 10}), 0.24);
}

}  // namespace
}  // namespace kwta::probe_selection_test
