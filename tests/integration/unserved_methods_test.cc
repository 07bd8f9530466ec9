// Calls of methods that the server does not have.

#include <chrono>

#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"

namespace kwta::testing {
namespace {

// The status of a unary call of `method` with an empty request.
grpc::Status CallByName(ServerProcess& server, const std::string& method) {
  grpc::GenericStub stub(server.channel());
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  const grpc::Slice nothing;
  const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&nothing, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer answer;
  grpc::Status status;
  call->Finish(&answer, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  return status;
}

TEST(UnservedMethods, AreRefusedInWordsAndCounted) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  const auto expect = [&](const std::string& method, const std::string& text) {
    const grpc::Status status = CallByName(server, method);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
    EXPECT_NE(status.error_message().find(text), std::string::npos) << status.error_message();
  };
  expect("/inference.GRPCInferenceService/SystemSharedMemoryStatus", "shared memory is not served");
  expect("/inference.GRPCInferenceService/TraceSetting", "settings of traces are not served");
  expect("/kwta.v1.EncoderService/Decode", "no method 'kwta.v1.EncoderService/Decode'");
  expect("/nobody.Service/Method", "no method 'nobody.Service/Method'");
  EXPECT_EQ(CallByName(server, "/inference.GRPCInferenceService/ServerLive").error_code(), grpc::StatusCode::OK);
  const std::string metrics = HttpGet(server.http_port(), "/metrics").body;
  EXPECT_NE(metrics.find("kwta_requests_total{code=\"UNIMPLEMENTED\",method=\"unserved\"} 4\n"), std::string::npos);
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

}  // namespace
}  // namespace kwta::testing
