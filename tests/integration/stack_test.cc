// A stack through real processes: two jobs, one a layer, the second on the model of the first.

#include "core/encoders/stack.h"

#include <filesystem>
#include <fstream>

#include "core/backends/backend_registry.h"
#include "core/encoders/encoder_registry.h"
#include "core/io/datasets/dataset.h"
#include "core/io/model_bundle.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

v1::TrainRequest LayerOn(const std::string& base, const std::string& model, unsigned epochs = 2) {
  v1::TrainRequest request = SmallJob(model, epochs, 32);
  request.mutable_spec()->mutable_base()->set_model(base);
  return request;
}

class Stacks : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.ready()) << server_.log();
    ASSERT_EQ(TrainToEnd(server_.stub(), SmallJob("layer-1")).state(), v1::JOB_STATE_SUCCEEDED) << server_.log();
  }

  grpc::Status Submit(const v1::TrainRequest& request, v1::Job* job) {
    grpc::ClientContext context;
    v1::TrainResponse response;
    const grpc::Status status = server_.stub().Train(&context, request, &response);
    *job = response.job();
    return status;
  }
  // Keeps the only trainer busy.
  void SubmitLongJob() {
    v1::TrainRequest request = SmallJob("long", 100000, 256, 2000);
    request.set_job_id("long");
    v1::Job job;
    ASSERT_TRUE(Submit(request, &job).ok());
  }
  void CancelLongJob() {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_job_id("long");
    v1::CancelJobResponse response;
    ASSERT_TRUE(server_.stub().CancelJob(&context, request, &response).ok());
  }
  std::string Bundle(const std::string& model) const { return state_ + "/models/" + model + "/1"; }

  std::string state_ = MakeTemporaryDirectory();
  ServerProcess server_{state_};
};

TEST_F(Stacks, ASecondLayerIsTrainedPublishedAndServed) {
  v1::TrainRequest request = LayerOn("layer-1", "deep");
  request.set_job_id("second");
  const v1::Job job = TrainToEnd(server_.stub(), request);
  ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message();
  EXPECT_EQ(job.spec().base().version(), 1u);
  EXPECT_EQ(job.spec().base().sha256(), HashOfModelBundle(Bundle("layer-1")).value());

  v1::EncodeResponse response;
  const v1::EncodeRequest images = EncodeImages("deep", 20);
  ASSERT_TRUE(Encode(server_.stub(), images, &response).ok());
  EXPECT_EQ(response.code_width(), 32u);

  // The stack is the composition of the two, read from its own bundle alone.
  const ModelBundle bundle = ReadModelBundle(Bundle("deep")).value();
  const auto backend = CreateBackend("reference", {1}).value();
  const auto lower = CreateEncoder(LayerOfStack(bundle, 0).value(), backend).value();
  const auto upper = CreateEncoder(LayerOfStack(bundle, 1).value(), backend).value();
  SparseCodes hidden, codes;
  const RowsView rows{DType::kU8, images.input().raw().data(), 20, 784};
  ASSERT_TRUE(lower->EncodeSparse(rows, 5, &hidden).ok());
  std::vector<float> dense(20 * 64);
  hidden.ToDense(dense.data());
  ASSERT_TRUE(upper->EncodeSparse({DType::kF32, dense.data(), 20, 64}, 5, &codes).ok());
  ASSERT_EQ(response.top_k().values_size(), codes.entries());
  for (int e = 0; e < codes.entries(); ++e) {
    ASSERT_EQ(response.top_k().indices(e), static_cast<uint32_t>(codes.indices[e]));
    ASSERT_EQ(response.top_k().values(e), codes.values[e]);
  }

  // The same request again means the same base, although the model has a newer version now.
  ASSERT_EQ(TrainToEnd(server_.stub(), SmallJob("layer-1")).state(), v1::JOB_STATE_SUCCEEDED);
  v1::Job again;
  ASSERT_TRUE(Submit(request, &again).ok());
  EXPECT_EQ(again.spec().base().version(), 1u);
  EXPECT_EQ(again.state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(Stacks, ABaseThatIsGoneOrHasChangedFailsTheJob) {
  ASSERT_EQ(TrainToEnd(server_.stub(), SmallJob("doomed")).state(), v1::JOB_STATE_SUCCEEDED);
  SubmitLongJob();
  v1::Job on_changed, on_doomed;
  ASSERT_TRUE(Submit(LayerOn("layer-1", "deep"), &on_changed).ok());
  ASSERT_TRUE(Submit(LayerOn("doomed", "deep"), &on_doomed).ok());
  {
    std::fstream file(Bundle("layer-1") + "/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-1, std::ios::end);
    file.put('\x3e');
    file.seekp(-2, std::ios::end);
    file.put('\x11');
  }
  grpc::ClientContext context;
  v1::DeleteModelRequest remove;
  remove.set_model("doomed");
  v1::DeleteModelResponse removed;
  ASSERT_TRUE(server_.stub().DeleteModel(&context, remove, &removed).ok());
  CancelLongJob();
  v1::Job job = WaitForEnd(server_.stub(), on_changed.id());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), grpc::StatusCode::FAILED_PRECONDITION) << job.error().message();
  EXPECT_NE(job.error().message().find("has changed since the job was submitted"), std::string::npos);
  job = WaitForEnd(server_.stub(), on_doomed.id());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().code(), grpc::StatusCode::NOT_FOUND) << job.error().message();
  EXPECT_NE(job.error().message().find("the base model is gone: model 'doomed'"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(state_ + "/models/deep")) << "nothing half-written";
}

TEST_F(Stacks, RequestsThatCannotBeMetAreRefusedAtOnce) {
  const auto expect = [&](const v1::TrainRequest& request, grpc::StatusCode code, const std::string& text) {
    v1::Job job;
    const grpc::Status status = Submit(request, &job);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    EXPECT_NE(status.error_message().find(text), std::string::npos) << status.error_message();
  };
  expect(LayerOn("nobody", "deep"), grpc::StatusCode::NOT_FOUND, "model 'nobody' does not exist");
  v1::TrainRequest request = LayerOn("layer-1", "deep");
  request.mutable_spec()->mutable_base()->set_version(7);
  expect(request, grpc::StatusCode::NOT_FOUND, "no version 7");
  request = LayerOn("layer-1", "deep");
  request.mutable_spec()->mutable_base()->set_sha256(std::string(32, 'x'));
  expect(request, grpc::StatusCode::FAILED_PRECONDITION, "base.sha256 is not that of model 'layer-1' version 1");
  request = LayerOn("layer-1", "deep");
  request.mutable_spec()->mutable_preprocessing()->set_subtract_mean(true);
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "preprocessing is set together with base");
  request = LayerOn("layer-1", "deep");
  *request.mutable_spec()->mutable_encoder()->mutable_stack()->add_layers() = SmallJob("x").spec().encoder();
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "encoder.stack cannot be trained by one job");
  request = LayerOn("layer-1", "deep");
  request.mutable_spec()->mutable_encoder()->mutable_winner_take_all();
  expect(request, grpc::StatusCode::INVALID_ARGUMENT, "which is no image");
}

}  // namespace
}  // namespace kwta::testing
