// Starting and stopping: what a server refuses to start on, health, reflection, draining.

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

// A unary call of a method given by name, with the message as bytes.
grpc::Status CallRaw(ServerProcess& server, const std::string& method, const std::string& request, std::string* reply) {
  grpc::GenericStub stub(server.channel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  const grpc::ByteBuffer bytes(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, bytes, &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  std::vector<grpc::Slice> slices;
  if (status.ok() && answer.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) reply->append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  return status;
}

TEST(Lifecycle, HealthIsServing) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const std::string service = "kwta.v1.EncoderService";
  for (const std::string& name : {std::string(), service}) {
    // grpc.health.v1.HealthCheckRequest{service = 1}; HealthCheckResponse{status = 1} with SERVING = 1.
    const std::string request = name.empty() ? "" : std::string("\x0a") + static_cast<char>(name.size()) + name;
    std::string reply;
    const grpc::Status status = CallRaw(server, "/grpc.health.v1.Health/Check", request, &reply);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(reply, std::string("\x08\x01")) << "service '" << name << "'";
  }
}

TEST(Lifecycle, ReflectionListsTheService) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  grpc::GenericStub stub(server.channel());
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  void* tag;
  bool ok;
  const auto call =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  // ServerReflectionRequest{list_services = 7: ""}.
  const grpc::Slice slice(std::string("\x3a\x00", 2));
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& part : slices) text.append(reinterpret_cast<const char*>(part.begin()), part.size());
  EXPECT_NE(text.find("kwta.v1.EncoderService"), std::string::npos);
  context.TryCancel();
}

TEST(Lifecycle, APortInUseIsAClearError) {
  ServerProcess first(MakeTemporaryDirectory());
  ASSERT_TRUE(first.ready()) << first.log();
  ServerProcess grpc_taken(MakeTemporaryDirectory(), {"--listen", first.grpc_address()});
  EXPECT_FALSE(grpc_taken.ready());
  EXPECT_EQ(grpc_taken.process().Wait(), 1);
  EXPECT_NE(grpc_taken.log().find(first.grpc_address()), std::string::npos) << grpc_taken.log();
  EXPECT_NE(grpc_taken.log().find("in use"), std::string::npos) << grpc_taken.log();
  const std::string http = "127.0.0.1:" + std::to_string(first.http_port());
  ServerProcess http_taken(MakeTemporaryDirectory(), {"--http", http});
  EXPECT_FALSE(http_taken.ready());
  EXPECT_EQ(http_taken.process().Wait(), 1);
  EXPECT_NE(http_taken.log().find(http), std::string::npos) << http_taken.log();
}

TEST(Lifecycle, AStateDirectoryIsForOneServer) {
  const std::string state = MakeTemporaryDirectory();
  ServerProcess first(state);
  ASSERT_TRUE(first.ready()) << first.log();
  ServerProcess second(state);
  EXPECT_FALSE(second.ready());
  EXPECT_EQ(second.process().Wait(), 1);
  EXPECT_NE(second.log().find(state), std::string::npos) << second.log();
}

TEST(Lifecycle, AStateDirectoryThatCannotBeWrittenIsAClearError) {
  // A file where the directory should be: unwritable for every user, root included.
  const std::string file = MakeTemporaryDirectory() + "/file";
  std::ofstream(file) << "occupied";
  ServerProcess server(file + "/state");
  EXPECT_FALSE(server.ready());
  EXPECT_EQ(server.process().Wait(), 1);
  EXPECT_NE(server.log().find(file), std::string::npos) << server.log();
  EXPECT_EQ(ReadWholeFile(file), "occupied");
}

TEST(Lifecycle, ABundleThatIsCutShortDoesNotStopTheOthers) {
  const std::string state = MakeTemporaryDirectory();
  {
    ServerProcess server(state);
    ASSERT_TRUE(server.ready()) << server.log();
    ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("good", 1)).state(), v1::JOB_STATE_SUCCEEDED);
    ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("bad", 1)).state(), v1::JOB_STATE_SUCCEEDED);
    EXPECT_EQ(server.Stop(), 0);
  }
  std::filesystem::resize_file(state + "/models/bad/1/model.safetensors", 1000);
  ServerProcess server(state);
  ASSERT_TRUE(server.ready()) << server.log();
  v1::EncodeResponse response;
  EXPECT_TRUE(Encode(server.stub(), EncodeImages("good", 1), &response).ok());
  EXPECT_FALSE(Encode(server.stub(), EncodeImages("bad", 1), &response).ok());
  EXPECT_NE(server.log().find("model.safetensors"), std::string::npos) << server.log();
}

TEST(Lifecycle, BadFlagsAreUsageErrors) {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--no-such-flag"}, {"--listen", "nonsense"}, {"--threads", "-3"}}) {
    std::vector<std::string> argv = {KWTA_SERVER_PROGRAM, "--state-dir", MakeTemporaryDirectory()};
    argv.insert(argv.end(), flags.begin(), flags.end());
    const ProgramResult result = RunProgram(argv);
    EXPECT_EQ(result.exit_code, 2) << flags[0] << "\n" << result.err;
  }
  EXPECT_EQ(RunProgram({KWTA_SERVER_PROGRAM, "--help"}).exit_code, 0);
  EXPECT_EQ(RunProgram({KWTA_TRAINER_PROGRAM}).exit_code, 2);
}

TEST(Lifecycle, SigtermFinishesAcceptedCalls) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).state(), v1::JOB_STATE_SUCCEEDED);
  grpc::ClientContext context;
  const auto stream = server.stub().EncodeStream(&context);
  v1::EncodeStreamRequest request;
  *request.mutable_request() = EncodeImages("fashion", 4);
  ASSERT_TRUE(stream->Write(request));
  v1::EncodeStreamResponse response;
  ASSERT_TRUE(stream->Read(&response));
  server.process().Signal(SIGTERM);
  stream->WritesDone();
  stream->Finish();
  EXPECT_EQ(server.process().Wait(), 0) << server.log();
}

}  // namespace
}  // namespace kwta::testing
