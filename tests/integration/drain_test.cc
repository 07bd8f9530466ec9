// What callers and load balancers see of a server that is told to stop, and what calls leave behind.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

// grpc.health.v1.Health/Watch of a server, read by hand.
class HealthWatch {
 public:
  explicit HealthWatch(ServerProcess& server) : stub_(server.channel()) {
    call_ = stub_.PrepareCall(&context_, "/grpc.health.v1.Health/Watch", &queue_);
    call_->StartCall(nullptr);
    Wait();
    const grpc::Slice whole_server;
    call_->WriteLast(grpc::ByteBuffer(&whole_server, 1), grpc::WriteOptions(), nullptr);
    Wait();
  }
  ~HealthWatch() {
    context_.TryCancel();
    call_->Finish(&status_, nullptr);
    Wait();
  }

  // The next state: 1 is SERVING, 2 NOT_SERVING; -1 at the end.
  int Next() {
    grpc::ByteBuffer answer;
    call_->Read(&answer, nullptr);
    std::vector<grpc::Slice> slices;
    if (!Wait() || !answer.Dump(&slices).ok() || slices.empty() || slices[0].size() != 2) return -1;
    return slices[0].begin()[1];
  }

 private:
  bool Wait() {
    void* tag;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::Status status_;
};

TEST(Drain, LosesNoAcceptedCallAndTellsBalancersFirst) {
  ServerProcess server(MakeTemporaryDirectory(), {"--drain-delay", "1"});
  ASSERT_TRUE(server.ready()) << server.log();
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("m", 1)).state(), v1::JOB_STATE_SUCCEEDED);
  HealthWatch watch(server);
  EXPECT_EQ(watch.Next(), 1);

  const v1::EncodeRequest request = EncodeImages("m", 4);
  std::atomic<int> answered{0}, answered_while_draining{0};
  std::atomic<bool> draining{false};
  std::thread caller([&] {
    for (;;) {
      v1::EncodeResponse response;
      const grpc::Status status = Encode(server.stub(), request, &response);
      if (status.ok()) {
        ++answered;
        if (draining) ++answered_while_draining;
        continue;
      }
      // Refused, or sent to a server that had gone or had not come to it: never answered with anything else.
      EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                  status.error_code() == grpc::StatusCode::CANCELLED)
          << status.error_code() << " " << status.error_message();
      return;
    }
  });
  while (answered < 10) std::this_thread::yield();
  server.process().Signal(SIGTERM);
  EXPECT_EQ(watch.Next(), 2);
  draining = true;
  EXPECT_EQ(HttpGet(server.http_port(), "/healthz").status, 200) << "alive";
  const HttpReply ready = HttpGet(server.http_port(), "/readyz");
  EXPECT_EQ(ready.status, 503);
  EXPECT_NE(ready.body.find("draining"), std::string::npos);
  caller.join();
  EXPECT_GT(answered_while_draining, 0) << "it serves until balancers have noticed";
  EXPECT_EQ(server.process().Wait(), 0) << server.log();
}

TEST(Calls, CarryTheirNamesIntoRepliesAndLogs) {
  ServerProcess server(MakeTemporaryDirectory(), {"--log-level", "debug", "--log-format", "json"});
  ASSERT_TRUE(server.ready()) << server.log();
  const std::string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "order-17");
  context.AddMetadata("traceparent", trace);
  v1::EncodeResponse response;
  EXPECT_EQ(server.stub().Encode(&context, EncodeImages("nobody", 1), &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
  const auto sent_back = [](const grpc::ClientContext& call, const char* name) {
    const auto found = call.GetServerTrailingMetadata().find(name);
    return found == call.GetServerTrailingMetadata().end() ? std::string()
                                                           : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(sent_back(context, "x-request-id"), "order-17");
  EXPECT_EQ(sent_back(context, "traceparent"), trace);
  grpc::ClientContext malformed;
  malformed.AddMetadata("traceparent", "00-xyz");
  v1::StatusResponse status;
  EXPECT_TRUE(server.stub().Status(&malformed, {}, &status).ok());
  EXPECT_EQ(sent_back(malformed, "traceparent"), "");
  EXPECT_EQ(server.Stop(), 0);
  const std::string log = server.log();
  EXPECT_NE(
      log.find(
          R"("method":"Encode","code":"NOT_FOUND","caller":"ipv4:127.0.0.1","request_id":"order-17","traceparent":")" +
          trace),
      std::string::npos)
      << log;
}

TEST(Configuration, IsCheckedWithoutServing) {
  const std::string directory = MakeTemporaryDirectory();
  const auto check = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {KWTA_SERVER_PROGRAM, "--check-config", "--state-dir", directory + "/state"});
    return RunProgram(flags);
  };
  EXPECT_EQ(check({}).exit_code, 0);
  EXPECT_EQ(check({"--listen", "nonsense"}).exit_code, 2);
  EXPECT_EQ(check({"--backend", "nonsense"}).exit_code, 1);
  EXPECT_EQ(check({"--ready-fd", "99"}).exit_code, 1);
  EXPECT_EQ(check({"--model-dir", directory + "/missing"}).exit_code, 1);
  EXPECT_EQ(check({"--listen", "192.0.2.1:8500", "--insecure"}).exit_code, 1) << "not an address of this machine";
  EXPECT_EQ(check({"--model-memory", "-1"}).exit_code, 2);
  const ProgramResult missing = check({"--tokens", directory + "/missing.json"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.err.find("missing.json"), std::string::npos) << missing.err;
  EXPECT_EQ(access((directory + "/state").c_str(), F_OK), -1) << "nothing was made";
}

}  // namespace
}  // namespace kwta::testing
