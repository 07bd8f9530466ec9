// JobHandler, ModelHandler and ReportStatus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "server/jobs/job_events.h"
#include "server/jobs/sqlite_job_store.h"
#include "server/services/job_handler.h"
#include "server/services/model_handler.h"
#include "server/services/status_report.h"
#include "tests/server/fake_encoder.h"
#include "tests/server/models/bundles.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class HandlersTest : public ::testing::Test {
 protected:
  HandlersTest() {
    std::filesystem::create_directory(directory_.File("models"));
    WriteTestBundle(directory_.path(), "models/b/3", "b");
    WriteTestBundle(directory_.path(), "models/b/12", "b");
    WriteTestBundle(directory_.path(), "models/a/1", "a");
    models_ = ModelManager::Open(
                  directory_.File("models"), ModelManagerOptions(),
                  [](const ModelBundle&) { return std::make_shared<FakeEncoder>(2, 4); }, IgnoreEvents())
                  .value();
    runner_ = std::make_unique<JobRunner>(JobRunnerOptions{}, &journal_, models_.get(), &metrics_);
    job_handler_ = std::make_unique<JobHandler>(&journal_, runner_.get(), models_.get(), &datasets_);
  }

  static v1::TrainRequest Request(const std::string& job_id, const std::string& path) {
    v1::TrainRequest request;
    request.set_job_id(job_id);
    request.mutable_spec()->set_model("digits");
    request.mutable_spec()->mutable_encoder()->mutable_k_sparse()->set_units(10);
    request.mutable_spec()->mutable_encoder()->mutable_k_sparse()->set_k(2);
    request.mutable_spec()->mutable_dataset()->set_path(path);
    return request;
  }

  void ExpectRefused(const v1::TrainRequest& request, absl::StatusCode code, const std::string& text) {
    const absl::Status status = job_handler_->Train(request).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }

  TemporaryDirectory directory_;
  Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  std::unique_ptr<JobStore> store_ = OpenSqliteJobStore(directory_.File("kwta.db")).value();
  JobJournal journal_{store_.get(), {}};
  DatasetHandler datasets_{&journal_, {directory_.path()}};
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<JobRunner> runner_;  // not started: jobs stay queued
  std::unique_ptr<JobHandler> job_handler_;
};

TEST_F(HandlersTest, TrainStoresTheResolvedSpec) {
  directory_.Write("rows.npy", "the trainer will look into it");
  const auto response = job_handler_->Train(Request("a", "rows.npy"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->job().id(), "a");
  EXPECT_EQ(response->job().state(), v1::JOB_STATE_QUEUED);
  EXPECT_TRUE(response->job().spec().encoder().k_sparse().has_init_sigma());
  EXPECT_TRUE(response->job().spec().training().has_epochs());
}

TEST_F(HandlersTest, TrainSaysWhatIsWrong) {
  ExpectRefused(Request("no spaces", "rows.npy"), absl::StatusCode::kInvalidArgument, "job_id");
  ExpectRefused(Request("a", "rows.npy"), absl::StatusCode::kNotFound, "UploadDataset");
  ExpectRefused(Request("a", "../rows.npy"), absl::StatusCode::kInvalidArgument, "..");
  v1::TrainRequest request = Request("a", "rows.npy");
  request.mutable_spec()->mutable_dataset()->set_name("no-such-set");
  ExpectRefused(request, absl::StatusCode::kNotFound, "fashion-mnist");
  request.mutable_spec()->mutable_dataset()->set_name("cifar10");
  ExpectRefused(request, absl::StatusCode::kNotFound, "the training images of data set 'cifar10' were not found");
  directory_.Write("two.idx", std::string("\0\0\10\2\0\0\0\2\0\0\0\1ab", 14));
  request = Request("a", "two.idx");
  request.mutable_spec()->mutable_dataset()->set_validation_rows(2);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "validation_rows is 2, but 'two.idx' has 2 rows");
  request.mutable_spec()->mutable_dataset()->set_validation_rows(1);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "the data have 1 row but training.batch_size is 100");
  request = Request("a", "rows.npy");
  request.mutable_spec()->mutable_encoder()->mutable_k_sparse()->set_k(11);
  ExpectRefused(request, absl::StatusCode::kInvalidArgument, "11");
  EXPECT_EQ(store_->Count()->queued, 0);
}

TEST_F(HandlersTest, ListJobsBoundsAndFilters) {
  for (int i = 0; i < 101; ++i) {
    ASSERT_TRUE(store_->Create(std::to_string(i), v1::JobSpec(), absl::UnixEpoch()).ok());
  }
  ASSERT_TRUE(store_->Append("7", StateEvent(v1::JOB_STATE_CANCELLED, absl::UnixEpoch())).ok());
  v1::ListJobsRequest request;
  EXPECT_EQ(job_handler_->ListJobs(request)->jobs_size(), 100);
  request.set_limit(5000);
  EXPECT_EQ(job_handler_->ListJobs(request)->jobs_size(), 101);
  request.set_state(v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(job_handler_->ListJobs(request)->jobs_size(), 1);
  request.set_job_id("7");
  EXPECT_EQ(job_handler_->ListJobs(request)->jobs(0).id(), "7");
  request.set_job_id("8");
  EXPECT_EQ(job_handler_->ListJobs(request)->jobs_size(), 0) << "it is queued";
  request.set_job_id("nobody");
  EXPECT_EQ(job_handler_->ListJobs(request).status().code(), absl::StatusCode::kNotFound);
  request.set_state(static_cast<v1::JobState>(44));
  EXPECT_EQ(job_handler_->ListJobs(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HandlersTest, ModelsAreGroupedByName) {
  ModelHandler handler(models_.get());
  const auto response = handler.ListModels({});
  ASSERT_EQ(response->models_size(), 2);
  EXPECT_EQ(response->models(0).name(), "a");
  EXPECT_EQ(response->models(1).name(), "b");
  EXPECT_EQ(response->models(1).serving_version(), 12) << "the newest, as a number";
  ASSERT_EQ(response->models(1).versions_size(), 2);
  EXPECT_EQ(response->models(1).versions(0).version(), 3);
  EXPECT_EQ(response->models(1).versions(0).state(), v1::MODEL_STATE_EVICTED);
  EXPECT_EQ(response->models(1).versions(1).state(), v1::MODEL_STATE_READY);
  EXPECT_EQ(response->models(1).versions(1).parameter_bytes(), 32);
  EXPECT_THAT(response->models(1).versions(1).labels(), ElementsAre("stable", "canary"));

  v1::GetModelRequest get;
  get.set_model("b");
  EXPECT_EQ(handler.GetModel(get)->model().versions_size(), 2);
  v1::DeleteModelRequest remove;
  remove.set_model("b");
  EXPECT_THAT(handler.DeleteModel(remove)->versions(), ElementsAre(3, 12));
  EXPECT_EQ(handler.GetModel(get).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(handler.DeleteModel(remove).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(HandlersTest, StatusCounts) {
  ASSERT_TRUE(store_->Create("x", v1::JobSpec(), absl::UnixEpoch()).ok());
  metrics_.CallDone("Encode", absl::OkStatus(), 0.1);
  const ServerFacts facts = {"1.2.3", absl::FromUnixSeconds(50), "onednn", 2, "127.0.0.1:8501", 1024};
  const v1::StatusResponse response =
      ReportStatus(facts, /*draining=*/true, *models_, *store_, absl::OkStatus(), metrics_);
  EXPECT_EQ(response.kwta_version(), "1.2.3");
  EXPECT_EQ(response.started().seconds(), 50);
  EXPECT_TRUE(response.draining());
  EXPECT_EQ(response.models(), 2);
  EXPECT_EQ(response.jobs_queued(), 1);
  EXPECT_EQ(response.encode_requests(), 1);
  EXPECT_EQ(response.max_message_bytes(), 1024);
  EXPECT_EQ(response.waiting_for_store(), "");
  const absl::Status full = absl::ResourceExhaustedError("no room for caf\xe9");
  EXPECT_EQ(ReportStatus(facts, false, *models_, *store_, full, metrics_).waiting_for_store(),
            "no room for caf\xEF\xBF\xBD");
}

}  // namespace
}  // namespace kwta::server
