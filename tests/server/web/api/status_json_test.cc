#include "server/web/api/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/jobs/job_events.h"

namespace kwta::server {
namespace {

using nlohmann::json;

TEST(StatusJsonTest, ACurveKeepsItsLastPoint) {
  std::vector<v1::JobEvent> events = {StateEvent(v1::JOB_STATE_RUNNING, absl::UnixEpoch())};
  for (int i = 1; i <= 10; ++i) {
    v1::TrainingProgress progress;
    progress.set_epochs(5);
    progress.set_fraction(i / 10.0);
    progress.set_loss(100 - i);
    progress.set_k(20);
    events.push_back(ProgressEvent(progress, absl::UnixEpoch()));
  }
  const json all = CurveJson(events, 100);
  EXPECT_EQ(all["loss"].size(), 10u);
  EXPECT_EQ(all["epochs"][1], 1.0);
  const json some = CurveJson(events, 4);
  EXPECT_EQ(some["loss"], (json{98.0, 95.0, 93.0, 90.0}));
  EXPECT_EQ(some["epochs"].back(), 5.0);
  EXPECT_TRUE(CurveJson({}, 4)["loss"].empty());
}

TEST(StatusJsonTest, AJobShowsWhatItTrains) {
  v1::Job job;
  job.set_id("first");
  job.set_state(v1::JOB_STATE_FAILED);
  job.mutable_spec()->set_model("model");
  job.mutable_spec()->mutable_encoder()->mutable_k_sparse()->set_k(25);
  job.mutable_spec()->mutable_dataset()->set_path("<b>rows</b>.npy");
  *job.mutable_error() = ToFailure(absl::DataLossError("a byte is \xff"));
  const json shown = JobJson(job);
  EXPECT_EQ(shown["state"], "failed");
  EXPECT_EQ(shown["encoder"], "k-sparse");
  EXPECT_EQ(shown["summary"], "k-sparse (k 25)");
  job.mutable_spec()->mutable_fine_tuning();
  EXPECT_EQ(JobJson(job)["summary"], "fine-tuning");
  EXPECT_EQ(shown["dataset"], "<b>rows</b>.npy");  // text stays as it is; the page never takes it for markup
  EXPECT_TRUE(shown["started"].is_null());
  EXPECT_EQ(shown["error"]["code"], "DATA_LOSS");
  EXPECT_NO_THROW(shown.dump());
}

TEST(StatusJsonTest, AModelShowsTheActivityOfItsTrainingIfThatWasMeasured) {
  v1::ModelDescription description;
  description.mutable_encoder()->mutable_dropout()->set_units(8);
  description.mutable_encoder()->mutable_dropout()->set_hidden_dropout(0.3f);
  EXPECT_EQ(DescriptionJson(description)["summary"], "dropout (hidden dropout 0.3)");
  EXPECT_FALSE(DescriptionJson(description)["training"].contains("activation_fraction"));
  description.mutable_statistics()->set_activation_fraction(0.25);
  description.mutable_statistics()->set_activity_window_rows(10'000);
  const json training = DescriptionJson(description)["training"];
  EXPECT_EQ(training["activation_fraction"], 0.25);
  EXPECT_EQ(training["activity_window_rows"], 10'000);
}

TEST(StatusJsonTest, VersionsAreListedNewestFirst) {
  v1::Model model;
  model.set_name("model");
  model.set_serving_version(2);
  for (const uint64_t number : {1, 2}) {
    v1::ModelVersion* version = model.add_versions();
    version->set_version(number);
    version->set_state(number == 2 ? v1::MODEL_STATE_READY : v1::MODEL_STATE_EVICTED);
    v1::ModelDescription* about = version->mutable_description();
    about->mutable_encoder()->mutable_k_sparse()->set_units(30);
    about->mutable_encoder()->mutable_k_sparse()->set_k(3);
    about->set_input_width(6);
  }
  const json shown = ModelJson(model);
  EXPECT_EQ(shown["versions"][0]["version"], 2);
  EXPECT_EQ(shown["versions"][1]["state"], "evicted");
  const json about = shown["versions"][0]["description"];
  EXPECT_EQ(about["units"], 30);
  EXPECT_EQ(about["unit_kind"], "unit");
  EXPECT_EQ(about["input"], (json{{"channels", 1}, {"height", 1}, {"width", 6}}));
  EXPECT_EQ(ModelSummaryJson(model)["description"]["k"], 3);
}

}  // namespace
}  // namespace kwta::server
