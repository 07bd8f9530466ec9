#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/metrics/activity_window.h"
#include "server/metrics/process_stats.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// `rows` rows, each with the units 0 and 1 of `units`.
SparseCodes TwoActive(int64_t rows, int64_t units) {
  SparseCodes codes;
  codes.units = units;
  for (int64_t row = 0; row < rows; ++row) {
    for (const int32_t unit : {0, 1}) {
      codes.indices.push_back(unit);
      codes.values.push_back(1);
    }
    codes.row_offsets.push_back(codes.entries());
  }
  return codes;
}

TEST(ActivityWindowTest, CountsDeadUnitsInTumblingWindows) {
  ActivityWindow window(10, 4);
  EXPECT_FALSE(window.Add(TwoActive(3, 10)));
  EXPECT_DOUBLE_EQ(window.active_fraction(), 0.2);
  EXPECT_EQ(window.dead_units(), 0) << "no window is complete";
  EXPECT_TRUE(window.Add(TwoActive(1, 10)));
  EXPECT_EQ(window.dead_units(), 8);
  SparseCodes none;
  none.units = 10;
  none.row_offsets = {0, 0, 0, 0, 0};
  EXPECT_TRUE(window.Add(none));
  EXPECT_EQ(window.dead_units(), 10) << "the first window must be forgotten";
  EXPECT_DOUBLE_EQ(window.active_fraction(), 0);
}

class MetricsTest : public ::testing::Test {
 protected:
  Metrics metrics_{"1.2.3", "onednn", absl::FromUnixSeconds(1000)};
};

TEST_F(MetricsTest, CountsCallsByMethodAndCode) {
  metrics_.CallDone("Encode", absl::StatusCode::kOk, 0.002);
  metrics_.CallDone("Encode", absl::StatusCode::kInvalidArgument, 0.001);
  metrics_.CallDone("Status", absl::StatusCode::kOk, 0.001);
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"Encode\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"INVALID_ARGUMENT\",method=\"Encode\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"Encode\"} 2\n"));
  EXPECT_EQ(metrics_.encode_requests(), 2);
}

TEST_F(MetricsTest, CallsThatLastAsLongAsTheirCallerLikesAreOnlyCounted) {
  metrics_.CallDone("WatchJob", absl::StatusCode::kOk, std::nullopt);
  std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_requests_total{code=\"OK\",method=\"WatchJob\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("kwta_request_seconds_count{method=\"WatchJob\"}")));
  metrics_.CallDone("WatchJob", absl::StatusCode::kNotFound, 0.5);
  text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_request_seconds_count{method=\"WatchJob\"} 1\n"));
}

TEST_F(MetricsTest, ActivityOfAModel) {
  metrics_.RowsEncoded("digits", 1, TwoActive(kActivityWindowRows - 1, 10));
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("kwta_dead_units{")));
  metrics_.RowsEncoded("digits", 1, TwoActive(1, 10));
  std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"digits\"} 10000\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"digits\"} 0.2"));
  EXPECT_THAT(text, HasSubstr("kwta_dead_units{model=\"digits\",window_rows=\"10000\"} 8\n"));
  EXPECT_EQ(metrics_.rows_encoded(), 10000);
  metrics_.RowsEncoded("digits", 2, TwoActive(1, 20));  // another version, of another size
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("kwta_dead_units{")));
  metrics_.RowsEncoded("digits", 1, TwoActive(1, 10));  // pinned: counted, but not as activity
  EXPECT_THAT(metrics_.Render(), HasSubstr("kwta_active_unit_fraction{model=\"digits\"} 0.1"));
  metrics_.ModelRemoved("digits");
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("model=\"digits\"")));
}

TEST_F(MetricsTest, ActivityOfDenseCodes) {
  Tensor codes(DType::kF32, {kActivityWindowRows, 4});
  for (int64_t row = 0; row < kActivityWindowRows; ++row) codes.as<float>()[row * 4 + row % 2] = 0.5f;
  metrics_.RowsEncoded("maps", 1, std::move(codes));
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_rows_encoded_total{model=\"maps\"} 10000\n"));
  EXPECT_THAT(text, HasSubstr("kwta_active_unit_fraction{model=\"maps\"} 0.25"));
  EXPECT_THAT(text, HasSubstr("kwta_dead_units{model=\"maps\",window_rows=\"10000\"} 2\n"));
}

TEST_F(MetricsTest, GaugesOfAJobGoWithIt) {
  v1::TrainingProgress progress;
  progress.set_epochs_done(3);
  progress.set_loss(2.5);
  metrics_.JobProgress("digits", progress);
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_job_epoch{model=\"digits\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("kwta_job_loss{model=\"digits\"} 2.5\n"));
  EXPECT_THAT(text, Not(HasSubstr("kwta_job_training_error{"))) << "it does not fine-tune";
  progress.set_training_error(0.125);
  metrics_.JobProgress("digits", progress);
  EXPECT_THAT(metrics_.Render(), HasSubstr("kwta_job_training_error{model=\"digits\"} 0.125\n"));
  metrics_.JobStopped("digits");
  EXPECT_THAT(metrics_.Render(), Not(HasSubstr("model=\"digits\"")));
}

TEST_F(MetricsTest, FactsOfTheServer) {
  metrics_.SetJobs({1, 2, 3, 4, 5});
  metrics_.SetModelVersion("digits", 6);
  metrics_.ModelLoadFailed(absl::StatusCode::kDataLoss);
  metrics_.BatchDone(200, 0.01);
  metrics_.QueueLeft(0.001);
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_jobs{state=\"running\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_jobs{state=\"cancelled\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_version{model=\"digits\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_load_failures_total{code=\"DATA_LOSS\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_build_info{backend=\"onednn\",version=\"1.2.3\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_batch_rows_bucket{le=\"256\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_queue_seconds_count 1\n"));
  EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1000\n"));
}

TEST(ProcessStatsTest, KnowsThisProcess) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_bytes, 1e6);
  EXPECT_GE(stats.open_fds, 3);
  EXPECT_GE(stats.cpu_seconds, 0);
}

TEST_F(MetricsTest, VersionsAreCountedByStateUntilTheModelIsGone) {
  metrics_.SetModelVersions("digits", {{"ready", 2}, {"failed", 1}}, 640);
  metrics_.ModelEvicted("digits");
  metrics_.ModelLoaded(0.2);
  std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"ready\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_versions{model=\"digits\",state=\"loading\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_memory_bytes{model=\"digits\"} 640\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_evictions_total{model=\"digits\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("kwta_model_load_seconds_count 1\n"));
  metrics_.ModelRemoved("digits");
  EXPECT_THAT(metrics_.Render(), ::testing::Not(HasSubstr("digits")));
}

}  // namespace
}  // namespace kwta::server
