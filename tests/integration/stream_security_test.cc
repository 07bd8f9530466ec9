// Tokens and quotas on calls that go on: they hold for every message, whichever service the stream belongs to.

#include <chrono>

#include "gtest/gtest.h"
#include "inference/open_inference.grpc.pb.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

class StreamSecurity : public ::testing::Test {
 protected:
  // Starts a server whose only token has this scope and these further options of kwta token.
  void Start(const std::string& scope, const std::vector<std::string>& options = {}) {
    std::vector<std::string> arguments = {"--name", "search", "--scope", scope};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const std::string made = ChangeTokens(arguments);
    token_ = made.substr(0, made.find('\n'));
    server_ = std::make_unique<ServerProcess>(directory_ + "/state", std::vector<std::string>{"--tokens", file_});
    ASSERT_TRUE(server_->ready()) << server_->log();
  }
  std::string ChangeTokens(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv = {KWTA_CLI_PROGRAM, "token", "--file", file_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const ProgramResult result = RunProgram(argv);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }
  void RemoveToken() { ChangeTokens({"--name", "search", "--remove"}); }

  void Prepare(grpc::ClientContext* context) const {
    context->AddMetadata("authorization", "Bearer " + token_);
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(120));
  }
  static v1::EncodeStreamRequest NativeRequest(uint64_t id) {
    v1::EncodeStreamRequest request;
    request.set_request_id(id);
    *request.mutable_request() = EncodeImages("nobody", 1);
    return request;
  }
  static inference::ModelInferRequest ProtocolRequest(const std::string& id) {
    inference::ModelInferRequest request;
    request.set_model_name("nobody");
    request.set_id(id);
    auto* input = request.add_inputs();
    input->set_name("input");
    input->set_datatype("UINT8");
    input->add_shape(1);
    input->add_shape(1);
    request.add_raw_input_contents("x");
    return request;
  }

  const std::string directory_ = MakeTemporaryDirectory();
  const std::string file_ = directory_ + "/tokens.json";
  std::string token_;
  std::unique_ptr<ServerProcess> server_;
};

TEST_F(StreamSecurity, QuotasHoldForEveryRequestOfEncodeStream) {
  Start("encode", {"--calls-per-second", "0.001"});
  grpc::ClientContext context;
  Prepare(&context);
  const auto stream = server_->stub().EncodeStream(&context);
  v1::EncodeStreamResponse answer;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Write(NativeRequest(i)));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.error().code(), i == 0 ? grpc::StatusCode::NOT_FOUND : grpc::StatusCode::RESOURCE_EXHAUSTED)
        << answer.error().message();
  }
  EXPECT_NE(answer.error().message().find("calls_per_second is 0.001"), std::string::npos);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok()) << "the stream went on";
}

TEST_F(StreamSecurity, QuotasHoldForEveryRequestOfModelStreamInfer) {
  Start("encode", {"--calls-per-second", "0.001"});
  const auto stub = inference::GRPCInferenceService::NewStub(server_->channel());
  grpc::ClientContext context;
  Prepare(&context);
  const auto stream = stub->ModelStreamInfer(&context);
  inference::ModelStreamInferResponse answer;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(stream->Write(ProtocolRequest(std::to_string(i))));
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(answer.infer_response().id(), std::to_string(i));
    EXPECT_NE(answer.error_message().find(i == 0 ? "model 'nobody'" : "calls_per_second is 0.001"), std::string::npos)
        << answer.error_message();
  }
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&answer));
  EXPECT_TRUE(stream->Finish().ok()) << "the stream went on";
}

TEST_F(StreamSecurity, StreamsEndWithTheirToken) {
  Start("encode");
  grpc::ClientContext native_context, protocol_context;
  Prepare(&native_context);
  Prepare(&protocol_context);
  const auto stub = inference::GRPCInferenceService::NewStub(server_->channel());
  const auto native = server_->stub().EncodeStream(&native_context);
  const auto protocol = stub->ModelStreamInfer(&protocol_context);
  v1::EncodeStreamResponse native_answer;
  inference::ModelStreamInferResponse protocol_answer;
  ASSERT_TRUE(native->Write(NativeRequest(0)) && native->Read(&native_answer));
  ASSERT_TRUE(protocol->Write(ProtocolRequest("0")) && protocol->Read(&protocol_answer));
  RemoveToken();
  // The file is looked at once a second.
  while (native->Write(NativeRequest(1)) && native->Read(&native_answer)) {
  }
  while (protocol->Write(ProtocolRequest("1")) && protocol->Read(&protocol_answer)) {
  }
  const grpc::Status native_end = native->Finish();
  EXPECT_EQ(native_end.error_code(), grpc::StatusCode::UNAUTHENTICATED) << native_end.error_message();
  const grpc::Status protocol_end = protocol->Finish();
  EXPECT_EQ(protocol_end.error_code(), grpc::StatusCode::UNAUTHENTICATED) << protocol_end.error_message();
}

TEST_F(StreamSecurity, WatchersEndWithTheirToken) {
  Start("train");
  grpc::ClientContext train_context;
  Prepare(&train_context);
  v1::TrainRequest request = SmallJob("long", 100000);
  request.set_job_id("long");
  v1::TrainResponse response;
  const grpc::Status submitted = server_->stub().Train(&train_context, request, &response);
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  grpc::ClientContext context;
  Prepare(&context);
  v1::WatchJobRequest watch;
  watch.set_job_id("long");
  const auto reader = server_->stub().WatchJob(&context, watch);
  v1::JobEvent event;
  ASSERT_TRUE(reader->Read(&event));
  RemoveToken();
  while (reader->Read(&event)) {
  }
  const grpc::Status end = reader->Finish();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAUTHENTICATED) << end.error_message();
}

TEST_F(StreamSecurity, UploadsEndWithTheirToken) {
  Start("train");
  grpc::ClientContext context;
  Prepare(&context);
  v1::UploadDatasetResponse response;
  const auto writer = server_->stub().UploadDataset(&context, &response);
  v1::UploadDatasetRequest message;
  message.mutable_header()->set_path("rows.npy");
  message.mutable_header()->set_bytes(uint64_t{1} << 30);
  message.mutable_header()->set_sha256(std::string(32, 'x'));
  ASSERT_TRUE(writer->Write(message));
  RemoveToken();
  message.set_chunk("x");
  while (writer->Write(message)) {
  }
  const grpc::Status end = writer->Finish();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAUTHENTICATED) << end.error_message();
}

}  // namespace
}  // namespace kwta::testing
