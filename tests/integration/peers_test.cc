// Peers that do not behave: idle by the thousand, gone without a word, deaf, or far too many at once.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpcpp/completion_queue.h"
#include "gtest/gtest.h"
#include "tests/integration/raw_connection.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

constexpr int64_t kMiB = 1 << 20;
// What a program may take more under a sanitizer, for shadows and for memory that it holds back.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kSanitizer = 8;
#else
constexpr int64_t kSanitizer = 1;
#endif
const char kEncodeStream[] = "/kwta.v1.EncoderService/EncodeStream";

// A figure of /proc/PID/status that is in kB: VmRSS now, VmHWM at its highest.
int64_t MemoryOf(const ServerProcess& server, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(const_cast<ServerProcess&>(server).process().pid()) + "/status");
  for (std::string word; file >> word;) {
    int64_t kilobytes = 0;
    if (word == field + ":" && file >> kilobytes) return kilobytes * 1024;
  }
  ADD_FAILURE() << "there is no " << field;
  return 0;
}

int PortOf(const ServerProcess& server) {
  return std::stoi(server.grpc_address().substr(server.grpc_address().rfind(':') + 1));
}

// A server with the model "m".
std::unique_ptr<ServerProcess> ServerWithModel(const std::vector<std::string>& arguments) {
  auto server = std::make_unique<ServerProcess>(MakeTemporaryDirectory(), arguments);
  EXPECT_TRUE(server->ready()) << server->log();
  EXPECT_EQ(TrainToEnd(server->stub(), SmallJob("m", 1, 64, 100)).state(), v1::JOB_STATE_SUCCEEDED);
  return server;
}

// One row of zeros, `bytes` long, which hardly anything remains of when it is compressed.
grpc::Status EncodeCompressed(ServerProcess& server, int64_t bytes) {
  v1::EncodeRequest request;
  request.set_model("m");
  request.mutable_input()->set_dtype(v1::DTYPE_U8);
  request.mutable_input()->add_shape(1);
  request.mutable_input()->add_shape(bytes);
  request.mutable_input()->set_raw(std::string(static_cast<size_t>(bytes), '\0'));
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  v1::EncodeResponse response;
  return server.stub().Encode(&context, request, &response);
}

void ExpectAnswers(ServerProcess& server, int calls) {
  const v1::EncodeRequest request = EncodeImages("m", 1);
  for (int i = 0; i < calls; ++i) {
    v1::EncodeResponse response;
    const grpc::Status status = Encode(server.stub(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.top_k().indices_size(), 5);
  }
}

// No connection of the gRPC port was refused, or ended for what its client did.
void ExpectNoConnectionWasEnded(const ServerProcess& server) {
  const std::string metrics = HttpGet(server.http_port(), "/metrics").body;
  const std::string series = "kwta_connections_refused_total{port=\"grpc\",reason=";
  int reasons = 0;
  for (size_t at = metrics.find(series); at != std::string::npos; at = metrics.find(series, at + 1), ++reasons) {
    const std::string line = metrics.substr(at, metrics.find('\n', at) - at);
    EXPECT_EQ(line.substr(line.size() - 2), " 0") << line;
  }
  EXPECT_GT(reasons, 5);
}

// Sets how many descriptors this process, and those it starts, may have; gives what it was. 0: as many as may be.
rlim_t SetDescriptorLimit(rlim_t descriptors) {
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = descriptors == 0 ? limit.rlim_max : std::min(descriptors, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  return before;
}

TEST(Peers, CompressedMessagesAreRefusedBeforeTheyAreUnpacked) {
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_EQ(EncodeCompressed(server, 16).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  const int64_t before = MemoryOf(server, "VmHWM");
  EXPECT_EQ(EncodeCompressed(server, 60 * kMiB).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_LT(MemoryOf(server, "VmHWM") - before, 16 * kMiB * kSanitizer);
}

TEST(Peers, CompressedMessagesAreTakenIfTheServerIsToldTo) {
  ServerProcess server(MakeTemporaryDirectory(), {"--accept-compression"});
  ASSERT_TRUE(server.ready()) << server.log();
  EXPECT_EQ(EncodeCompressed(server, 16).error_code(), grpc::StatusCode::NOT_FOUND);  // there is no model "m"
}

TEST(Peers, TenThousandIdleConnections) {
  constexpr int kConnections = 10'000, kAtOnce = 250;
  constexpr int64_t kMostBytesEach = 64 << 10;
  const rlim_t before = SetDescriptorLimit(1024);  // the server sees to itself
  const std::unique_ptr<ServerProcess> server = ServerWithModel({});
  SetDescriptorLimit(0);
  rlimit limit = {};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < kConnections + 1000) GTEST_SKIP() << "no more than " << limit.rlim_max << " descriptors";
  ExpectAnswers(*server, 10);
  const int64_t memory = MemoryOf(*server, "VmRSS");
  {
    std::vector<RawConnection> connections;
    connections.reserve(kConnections);
    while (connections.size() < kConnections) {
      for (int i = 0; i < kAtOnce; ++i) connections.emplace_back(PortOf(*server));
      for (auto each = connections.end() - kAtOnce; each != connections.end(); ++each) ASSERT_TRUE(each->AwaitHello());
    }
    ExpectAnswers(*server, 100);
    const int64_t grown = MemoryOf(*server, "VmRSS") - memory;
    RecordProperty("bytes_per_connection", std::to_string(grown / kConnections));
    EXPECT_LT(grown, kSanitizer * kConnections * kMostBytesEach);
    // Those that waited so long are served like any other.
    connections.back().StartCall(kEncodeStream);
    v1::EncodeStreamRequest request;
    *request.mutable_request() = EncodeImages("m", 1);
    connections.back().SendMessage(request.SerializeAsString());
    EXPECT_TRUE(connections.back().AwaitMessage());
  }
  ExpectAnswers(*server, 10);
  SetDescriptorLimit(before);
}

TEST(Peers, ThoseThatGoGiveTheirPlacesBack) {
  const std::unique_ptr<ServerProcess> server = ServerWithModel({"--max-concurrent-calls", "8"});
  v1::EncodeStreamRequest request;
  *request.mutable_request() = EncodeImages("m", 1);
  const std::string message = request.SerializeAsString();
  // Several times as many as there are places. Those before may take a moment to be found gone: until there is a place.
  for (int i = 0; i < 40; ++i) {
    for (bool served = false; !served;) {
      RawConnection peer(PortOf(*server));
      peer.StartCall(kEncodeStream);
      peer.SendMessage(message);
      served = peer.AwaitMessage();
      if (!served) continue;
      if (i % 4 == 0) {
        peer.CloseSending();  // in the middle of the call
        peer.AwaitClose();
      } else if (i % 4 == 1) {
        peer.Vanish();
      } else if (i % 4 == 2) {
        peer.SendHalfAMessage();
        peer.CloseSending();
        peer.AwaitClose();
      } else {
        peer.SendMessage(message);  // with an answer on its way
        peer.Vanish();
      }
    }
  }
  v1::EncodeResponse response;
  while (!Encode(server->stub(), EncodeImages("m", 1), &response).ok()) {
  }
  ExpectAnswers(*server, 10);
}

// Callers that send and send, and take no answer.
TEST(Peers, AStreamThatIsNotReadIsHeldBack) {
  constexpr int kStreams = 4, kMessages = 2000, kMessageRows = 256;
  // The bytes that may be unanswered, not the number of messages, hold these back: 40 of 200 kB.
  const std::unique_ptr<ServerProcess> server =
      ServerWithModel({"--max-queue-rows", "1000000", "--max-queue-ms", "0", "--max-message-bytes", "8000000",
                       "--max-stream-messages", "1000"});
  ExpectAnswers(*server, 10);
  const int64_t memory = MemoryOf(*server, "VmRSS");
  v1::EncodeStreamRequest request;
  *request.mutable_request() = EncodeImages("m", 100);
  request.mutable_request()->mutable_input()->set_shape(0, kMessageRows);
  std::string& raw = *request.mutable_request()->mutable_input()->mutable_raw();
  while (raw.size() < kMessageRows * 784)
    raw += raw.substr(0, std::min<size_t>(raw.size(), kMessageRows * 784 - raw.size()));
  request.mutable_request()->mutable_options()->set_output(v1::OUTPUT_MODE_DENSE);
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::EncodeStreamRequest, v1::EncodeStreamResponse>> calls;
    std::thread writer;
    int written = 0;
  };
  std::vector<Stream> streams(kStreams);
  for (Stream& stream : streams) {
    stream.calls = server->stub().EncodeStream(&stream.context);
    stream.writer = std::thread([&stream, &request] {
      while (stream.written < kMessages && stream.calls->Write(request)) ++stream.written;
    });
  }
  ExpectAnswers(*server, 500);  // the others do not notice
  EXPECT_LT(MemoryOf(*server, "VmHWM") - memory, kSanitizer * 256 * kMiB);
  for (Stream& stream : streams) {
    stream.context.TryCancel();
    stream.writer.join();
    RecordProperty("messages_taken", stream.written);
    EXPECT_LT(stream.written, 400);  // some are on their way, in buffers of the system
  }
  ExpectAnswers(*server, 10);
}

// As many calls as one connection can carry.
TEST(Peers, ABusyConnectionIsNotEnded) {
  constexpr int kOutstanding = 64, kCalls = 60'000;
  const std::unique_ptr<ServerProcess> server = ServerWithModel({"--max-queue-ms", "0"});
  struct Call {
    grpc::ClientContext context;
    v1::EncodeResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::EncodeResponse>> reader;
  };
  const v1::EncodeRequest request = EncodeImages("m", 1);
  grpc::CompletionQueue queue;
  int started = 0;
  const auto start = [&] {
    auto* call = new Call;
    call->reader = server->stub().AsyncEncode(&call->context, request, &queue);
    call->reader->Finish(&call->response, &call->status, call);
    ++started;
  };
  while (started < kOutstanding) start();
  int failed = 0;
  for (int ended = 0; ended < kCalls; ++ended) {
    void* tag = nullptr;
    bool unused = false;
    ASSERT_TRUE(queue.Next(&tag, &unused));
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    failed += call->status.ok() ? 0 : 1;
    if (started < kCalls) start();
  }
  queue.Shutdown();
  EXPECT_EQ(failed, 0);
  ExpectNoConnectionWasEnded(*server);
}

// A client whose deadlines pass all the time.
TEST(Peers, AStormOfDeadlinesIsNotEnded) {
  constexpr int kCalls = 3000;
  const std::unique_ptr<ServerProcess> server = ServerWithModel({"--batch-linger-ms", "100"});
  const v1::EncodeRequest request = EncodeImages("m", 1);
  grpc::CompletionQueue queue;
  struct Call {
    grpc::ClientContext context;
    v1::EncodeResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::EncodeResponse>> reader;
  };
  int late = 0;
  for (int done = 0; done < kCalls;) {
    constexpr int kAtOnce = 300;
    for (int i = 0; i < kAtOnce; ++i) {
      auto* call = new Call;
      call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(2));
      call->reader = server->stub().AsyncEncode(&call->context, request, &queue);
      call->reader->Finish(&call->response, &call->status, call);
    }
    for (int i = 0; i < kAtOnce; ++i, ++done) {
      void* tag = nullptr;
      bool unused = false;
      ASSERT_TRUE(queue.Next(&tag, &unused));
      const std::unique_ptr<Call> call(static_cast<Call*>(tag));
      late += call->status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED ? 1 : 0;
    }
  }
  queue.Shutdown();
  EXPECT_GT(late, kCalls / 2);
  ExpectAnswers(*server, 10);
  ExpectNoConnectionWasEnded(*server);
}

// Twenty times as many calls as are let in, all the time.
TEST(Peers, TooManyCallsTakeNoMemory) {
  constexpr int kPlaces = 32, kOutstanding = 20 * kPlaces, kCalls = 10'000;
  const std::unique_ptr<ServerProcess> server = ServerWithModel({"--max-concurrent-calls", std::to_string(kPlaces)});
  ExpectAnswers(*server, 10);
  const int64_t memory = MemoryOf(*server, "VmRSS");
  struct Call {
    grpc::ClientContext context;
    v1::EncodeResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::EncodeResponse>> reader;
  };
  const v1::EncodeRequest request = EncodeImages("m", 16);
  grpc::CompletionQueue queue;
  int started = 0, answered = 0, refused = 0;
  const auto start = [&] {
    auto* call = new Call;
    call->reader = server->stub().AsyncEncode(&call->context, request, &queue);
    call->reader->Finish(&call->response, &call->status, call);
    ++started;
  };
  while (started < kOutstanding) start();
  for (int ended = 0; ended < kCalls; ++ended) {
    void* tag = nullptr;
    bool unused = false;
    ASSERT_TRUE(queue.Next(&tag, &unused));
    const std::unique_ptr<Call> call(static_cast<Call*>(tag));
    if (call->status.ok()) {
      ++answered;
    } else {
      ++refused;
      EXPECT_EQ(call->status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << call->status.error_message();
      EXPECT_NE(call->status.error_message().find("--max-"), std::string::npos) << call->status.error_message();
    }
    if (started < kCalls) start();
  }
  queue.Shutdown();
  EXPECT_GT(answered, 0);
  EXPECT_GT(refused, 0);
  EXPECT_LT(MemoryOf(*server, "VmHWM") - memory, kSanitizer * 256 * kMiB);
  ExpectAnswers(*server, 10);  // there is room again at once
}

}  // namespace
}  // namespace kwta::testing
