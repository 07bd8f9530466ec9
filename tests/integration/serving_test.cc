// Train, encode, restart, encode again: through real processes and the committed images.

#include <set>

#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

TEST(Serving, CodesAreTheSameBytesAfterARestart) {
  const std::string state = MakeTemporaryDirectory();
  v1::EncodeRequest request = EncodeImages("fashion", 100);
  request.mutable_options()->set_alpha(2);
  v1::EncodeResponse before, after;
  v1::Job job;
  {
    ServerProcess server(state);
    ASSERT_TRUE(server.ready()) << server.log();
    job = TrainToEnd(server.stub(), SmallJob("fashion"));
    ASSERT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED) << job.error().message() << server.log();
    EXPECT_EQ(job.model_version(), 1u);
    const grpc::Status status = Encode(server.stub(), request, &before);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(server.Stop(), 0) << server.log();
  }
  ServerProcess server(state);
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(GetJob(server.stub(), job.id()), job));
  const grpc::Status status = Encode(server.stub(), request, &after);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(before.model_version(), 1u);
  ASSERT_EQ(before.top_k().k(), 10u);
  ASSERT_EQ(before.top_k().indices_size(), 1000);
  EXPECT_EQ(before.top_k().SerializeAsString(), after.top_k().SerializeAsString());
}

class TrainedServer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new ServerProcess(MakeTemporaryDirectory());
    ASSERT_TRUE(server_->ready()) << server_->log();
    ASSERT_EQ(TrainToEnd(server_->stub(), SmallJob("fashion")).state(), v1::JOB_STATE_SUCCEEDED) << server_->log();
  }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static v1::EncoderService::Stub& stub() { return server_->stub(); }
  static ServerProcess* server_;
};
ServerProcess* TrainedServer::server_ = nullptr;

TEST_F(TrainedServer, TheThreeOutputModesAgree) {
  v1::EncodeRequest request = EncodeImages("fashion", 7);
  v1::EncodeResponse top_k, csr, dense;
  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_TOPK);
  ASSERT_TRUE(Encode(stub(), request, &top_k).ok());
  request.mutable_options()->set_output(v1::OUTPUT_MODE_SPARSE_CSR);
  ASSERT_TRUE(Encode(stub(), request, &csr).ok());
  request.mutable_options()->set_output(v1::OUTPUT_MODE_DENSE);
  ASSERT_TRUE(Encode(stub(), request, &dense).ok());
  ASSERT_EQ(top_k.top_k().k(), 5u);
  ASSERT_EQ(csr.csr().row_offsets_size(), 8);
  ASSERT_EQ(dense.dense().shape_size(), 2);
  ASSERT_EQ(dense.dense().shape(0), 7);
  ASSERT_EQ(dense.dense().shape(1), 64);
  ASSERT_EQ(dense.dense().floats_size(), 7 * 64);
  for (int row = 0; row < 7; ++row) {
    EXPECT_EQ(csr.csr().row_offsets(row), static_cast<uint64_t>(5 * row));
    std::set<uint32_t> support;
    for (int entry = 5 * row; entry < 5 * row + 5; ++entry) {
      const uint32_t unit = top_k.top_k().indices(entry);
      support.insert(unit);
      EXPECT_EQ(csr.csr().indices(entry), unit);
      EXPECT_EQ(csr.csr().values(entry), top_k.top_k().values(entry));
      EXPECT_EQ(dense.dense().floats(row * 64 + static_cast<int>(unit)), top_k.top_k().values(entry));
    }
    EXPECT_EQ(support.size(), 5u);
    for (uint32_t unit = 0; unit < 64; ++unit) {
      const float value = dense.dense().floats(row * 64 + static_cast<int>(unit));
      EXPECT_TRUE(support.count(unit) == 1 || value == 0.0f) << "unit " << unit;
    }
  }
}

TEST_F(TrainedServer, ARowsCodeDoesNotDependOnItsBatchOrDtype) {
  const v1::EncodeRequest all = EncodeImages("fashion", 300);  // More rows than a batch holds.
  v1::EncodeResponse together;
  ASSERT_TRUE(Encode(stub(), all, &together).ok());
  ASSERT_EQ(together.top_k().indices_size(), 300 * 5);
  EXPECT_GT(together.stats().compute_ns(), 0u);
  for (int row : {0, 1, 255, 256, 299}) {
    v1::EncodeRequest one;
    one.set_model("fashion");
    one.mutable_input()->add_shape(1);
    one.mutable_input()->add_shape(784);
    for (int j = 0; j < 784; ++j) {
      one.mutable_input()->add_floats(static_cast<float>(static_cast<uint8_t>(all.input().raw()[row * 784 + j])) /
                                      255.0f);
    }
    v1::EncodeResponse alone;
    ASSERT_TRUE(Encode(stub(), one, &alone).ok());
    for (int entry = 0; entry < 5; ++entry) {
      EXPECT_EQ(alone.top_k().indices(entry), together.top_k().indices(row * 5 + entry));
      EXPECT_EQ(alone.top_k().values(entry), together.top_k().values(row * 5 + entry));
    }
  }
}

TEST_F(TrainedServer, StreamAnswersInOrderAndSurvivesABadRequest) {
  grpc::ClientContext context;
  const auto stream = stub().EncodeStream(&context);
  constexpr int kRequests = 40;
  for (int id = 0; id < kRequests; ++id) {
    v1::EncodeStreamRequest request;
    request.set_request_id(1000 + id);
    *request.mutable_request() = EncodeImages(id == 17 ? "nobody" : "fashion", 1 + id % 3);
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  for (int id = 0; id < kRequests; ++id) {
    v1::EncodeStreamResponse response;
    ASSERT_TRUE(stream->Read(&response)) << id;
    EXPECT_EQ(response.request_id(), static_cast<uint64_t>(1000 + id));
    if (id == 17) {
      EXPECT_EQ(response.error().code(), static_cast<int>(grpc::StatusCode::NOT_FOUND));
    } else {
      EXPECT_EQ(response.response().top_k().indices_size(), 5 * (1 + id % 3)) << response.error().message();
    }
  }
  v1::EncodeStreamResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(TrainedServer, ReconstructionsApproachTheInput) {
  const v1::EncodeRequest images = EncodeImages("fashion", 50);
  v1::ReconstructRequest request;
  request.set_model("fashion");
  *request.mutable_input() = images.input();
  v1::ReconstructResponse response;
  grpc::ClientContext context;
  const grpc::Status status = stub().Reconstruct(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.output().floats_size(), 50 * 784);
  double error = 0, energy = 0;
  for (int i = 0; i < 50 * 784; ++i) {
    const double pixel = static_cast<uint8_t>(images.input().raw()[i]) / 255.0;
    error += (pixel - response.output().floats(i)) * (pixel - response.output().floats(i));
    energy += pixel * pixel;
  }
  EXPECT_LT(error, 0.7 * energy);
}

TEST_F(TrainedServer, SaysWhatItHasAndMeasures) {
  v1::EncodeResponse codes;
  const v1::EncodeRequest images = EncodeImages("fashion", 500);
  // A whole window of kwta_dead_units.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Encode(stub(), images, &codes).ok());
  {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_model("fashion");
    v1::GetModelResponse response;
    ASSERT_TRUE(stub().GetModel(&context, request, &response).ok());
    ASSERT_EQ(response.model().versions_size(), 1);
    const v1::ModelDescription& description = response.model().versions(0).description();
    EXPECT_EQ(description.input_width(), 784u);
    EXPECT_EQ(description.code_width(), 64u);
    EXPECT_EQ(description.encoder().k_sparse().k_start(), 20u) << "defaults are resolved";
    EXPECT_GT(description.statistics().images_per_second(), 0);
    EXPECT_EQ(description.statistics().training_rows(), 500u);
  }
  {
    grpc::ClientContext context;
    v1::StatusResponse response;
    ASSERT_TRUE(stub().Status(&context, {}, &response).ok());
    EXPECT_EQ(response.models(), 1u);
    EXPECT_EQ(response.jobs_succeeded(), 1u);
    EXPECT_GE(response.rows_encoded(), 10000u);
    EXPECT_FALSE(response.draining());
  }
  EXPECT_EQ(HttpGet(server_->http_port(), "/healthz").status, 200);
  EXPECT_EQ(HttpGet(server_->http_port(), "/readyz").status, 200);
  const HttpReply metrics = HttpGet(server_->http_port(), "/metrics");
  EXPECT_EQ(metrics.status, 200);
  for (const char* family : {"kwta_requests_total", "kwta_request_seconds_bucket", "kwta_queue_seconds_bucket",
                             "kwta_rows_encoded_total", "kwta_active_unit_fraction", "kwta_dead_units", "kwta_jobs"}) {
    EXPECT_NE(metrics.body.find(family), std::string::npos) << family << " is missing in\n" << metrics.body;
  }
}

TEST(Models, ANewVersionIsSwappedInAndVersionsCanBeDeleted) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).model_version(), 1u);
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 2)).model_version(), 2u);
  v1::EncodeRequest request = EncodeImages("fashion", 2);
  v1::EncodeResponse response;
  ASSERT_TRUE(Encode(server.stub(), request, &response).ok());
  EXPECT_EQ(response.model_version(), 2u);
  request.set_version(1);
  ASSERT_TRUE(Encode(server.stub(), request, &response).ok());
  EXPECT_EQ(response.model_version(), 1u);

  const auto remove = [&](uint64_t version) {
    grpc::ClientContext context;
    v1::DeleteModelRequest deletion;
    deletion.set_model("fashion");
    deletion.set_version(version);
    v1::DeleteModelResponse deleted;
    return server.stub().DeleteModel(&context, deletion, &deleted);
  };
  ASSERT_TRUE(remove(2).ok());
  request.set_version(0);
  ASSERT_TRUE(Encode(server.stub(), request, &response).ok());
  EXPECT_EQ(response.model_version(), 1u) << "the newest version left serves";
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).model_version(), 3u) << "versions are not used twice";
  ASSERT_TRUE(remove(0).ok());
  EXPECT_EQ(Encode(server.stub(), request, &response).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(remove(0).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

}  // namespace
}  // namespace kwta::testing
