// What strangers get at the gRPC port: answers before bodies, deadlines, and limits on what needs no token.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "inference/open_inference.pb.h"
#include "tests/integration/raw_connection.h"
#include "tests/integration/server_process.h"

namespace kwta::testing {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A status of a call, as it stands in trailers that hold nothing else of that name.
std::string StatusIn(grpc::StatusCode code) {
  const std::string text = std::to_string(code);
  return absl::StrCat("grpc-status", std::string(1, static_cast<char>(text.size())), text);
}

int GrpcPort(const ServerProcess& server) {
  return std::stoi(server.grpc_address().substr(server.grpc_address().rfind(':') + 1));
}

std::vector<std::string> PathsOf(const google::protobuf::FileDescriptor* file) {
  std::vector<std::string> paths;
  for (int s = 0; s < file->service_count(); ++s) {
    const google::protobuf::ServiceDescriptor* service = file->service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      paths.push_back(absl::StrCat("/", service->full_name(), "/", service->method(m)->name()));
    }
  }
  return paths;
}

// A server that knows one token, which nobody has.
std::vector<std::string> UnknownToken() {
  const std::string file = MakeTemporaryDirectory() + "/tokens.json";
  std::ofstream(file) << R"({"tokens": [{"name": "one", "sha256": ")" << std::string(64, '0')
                      << R"(", "scopes": ["encode"]}]})";
  return {"--tokens", file};
}

// The trailers of a call of which the server gets the headers alone.
std::string AnswerToHeaders(const ServerProcess& server, const std::string& path) {
  RawConnection stranger(GrpcPort(server));
  stranger.StartCall(path);
  return stranger.AwaitTrailers();
}

TEST(Edge, HeadersWithoutATokenAreAnsweredBeforeAnyBody) {
  ServerProcess server(MakeTemporaryDirectory(), UnknownToken());
  ASSERT_TRUE(server.ready()) << server.log();
  for (const std::string& path :
       PathsOf(v1::TrainRequest::descriptor()->file()->pool()->FindFileByName("kwta/v1/service.proto"))) {
    EXPECT_THAT(AnswerToHeaders(server, path), HasSubstr(StatusIn(grpc::StatusCode::UNAUTHENTICATED))) << path;
  }
  // Every method of the protocol is served, but for these.
  std::vector<std::string> unserved;
  for (const std::string& path : PathsOf(inference::ModelInferRequest::descriptor()->file())) {
    const std::string answer = AnswerToHeaders(server, path);
    if (absl::StrContains(answer, StatusIn(grpc::StatusCode::UNIMPLEMENTED))) {
      unserved.push_back(path.substr(path.rfind('/') + 1));
    } else if (!absl::StrContains(path, "/Server") || absl::StrContains(path, "Metadata")) {
      EXPECT_THAT(answer, HasSubstr(StatusIn(grpc::StatusCode::UNAUTHENTICATED))) << path;
    } else {
      EXPECT_THAT(answer, HasSubstr(StatusIn(grpc::StatusCode::OK))) << path;
    }
  }
  EXPECT_THAT(unserved, ElementsAre());
  EXPECT_THAT(AnswerToHeaders(server, "/nobody.Service/Method"), HasSubstr(StatusIn(grpc::StatusCode::UNIMPLEMENTED)));
}

TEST(Edge, ABodyThatNeverEndsIsGivenUp) {
  ServerProcess server(MakeTemporaryDirectory(), {"--body-timeout-seconds", "1"});
  ASSERT_TRUE(server.ready()) << server.log();
  for (const char* path :
       {"/kwta.v1.EncoderService/Encode", "/kwta.v1.EncoderService/Status", "/kwta.v1.EncoderService/WatchJob",
        "/kwta.v1.EncoderService/UploadDataset", "/inference.GRPCInferenceService/ModelInfer",
        "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    RawConnection slow(GrpcPort(server));
    slow.StartCall(path);
    slow.SendHalfAMessage();
    const auto start = std::chrono::steady_clock::now();
    const std::string trailers = slow.AwaitTrailers();
    EXPECT_GT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(500)) << path;
    EXPECT_THAT(trailers, HasSubstr(StatusIn(grpc::StatusCode::DEADLINE_EXCEEDED))) << path;
    EXPECT_THAT(trailers, HasSubstr("--body-timeout-seconds")) << path;
  }
}

TEST(Edge, HealthWatchersHaveLimits) {
  ServerProcess server(MakeTemporaryDirectory(), {"--max-health-watchers", "8"});
  ASSERT_TRUE(server.ready()) << server.log();
  const std::string request = grpc::health::v1::HealthCheckRequest().SerializeAsString();
  std::vector<RawConnection> watchers;
  const auto watch = [&](const std::string& host) {
    watchers.emplace_back(GrpcPort(server), host);
    watchers.back().StartCall("/grpc.health.v1.Health/Watch");
    watchers.back().SendMessage(request);
  };
  for (const char* host : {"127.0.0.2", "127.0.0.3"}) {
    for (int i = 0; i < 4; ++i) {
      watch(host);
      EXPECT_TRUE(watchers.back().AwaitMessage()) << host << " " << i;
    }
    watch(host);
    const std::string trailers = watchers.back().AwaitTrailers();
    EXPECT_THAT(trailers, HasSubstr(StatusIn(grpc::StatusCode::RESOURCE_EXHAUSTED))) << host;
    EXPECT_THAT(trailers, HasSubstr("--max-health-watchers")) << host;
  }
  watch("127.0.0.4");
  EXPECT_THAT(watchers.back().AwaitTrailers(), HasSubstr("the server has 8 health watchers already"));
  // Those that go make room.
  watchers.clear();
  for (bool served = false; !served; watchers.clear()) {
    watch("127.0.0.4");
    served = watchers.back().AwaitMessage();
  }
}

TEST(Edge, ReflectionStreamsHaveLimits) {
  constexpr int kOfAHost = 64, kHosts = 4;
  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  grpc::reflection::v1::ServerReflectionRequest question;
  question.set_list_services("");
  std::vector<RawConnection> streams;
  const auto ask = [&](const std::string& host) {
    streams.emplace_back(GrpcPort(server), host);
    streams.back().StartCall("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    streams.back().SendMessage(question.SerializeAsString());
  };
  for (int host = 0; host < kHosts; ++host) {
    const std::string name = absl::StrCat("127.0.0.", 2 + host);
    for (int i = 0; i < kOfAHost; ++i) {
      ask(name);
      ASSERT_TRUE(streams.back().AwaitMessage()) << host << " " << i;
    }
    if (host + 1 == kHosts) break;
    ask(name);
    EXPECT_THAT(streams.back().AwaitTrailers(), HasSubstr("64 reflection streams of this host"));
  }
  ask("127.0.0.9");
  const std::string trailers = streams.back().AwaitTrailers();
  EXPECT_THAT(trailers, HasSubstr(StatusIn(grpc::StatusCode::RESOURCE_EXHAUSTED)));
  EXPECT_THAT(trailers, HasSubstr("256 reflection streams"));
  // The threads of calls are not theirs.
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  v1::StatusResponse status;
  EXPECT_TRUE(server.stub().Status(&context, v1::StatusRequest(), &status).ok());
}

TEST(Edge, BothFormsOfReflectionListTheServices) {
  ServerProcess server(MakeTemporaryDirectory(), UnknownToken());
  ASSERT_TRUE(server.ready()) << server.log();
  grpc::reflection::v1::ServerReflectionRequest question;
  question.set_list_services("");
  for (const std::string form : {"v1", "v1alpha"}) {
    RawConnection client(GrpcPort(server));
    client.StartCall(absl::StrCat("/grpc.reflection.", form, ".ServerReflection/ServerReflectionInfo"));
    client.SendMessage(question.SerializeAsString());
    std::string answer;
    ASSERT_TRUE(client.AwaitMessage(&answer)) << form;
    for (const char* service : {"kwta.v1.EncoderService", "inference.GRPCInferenceService", "grpc.health.v1.Health",
                                "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}) {
      EXPECT_THAT(answer, HasSubstr(service)) << form;
    }
  }
}

TEST(Edge, MessagesThatAreTooLargeAreRefusedInWordsAndCounted) {
  ServerProcess server(MakeTemporaryDirectory(), {"--max-message-bytes", "1000000"});
  ASSERT_TRUE(server.ready()) << server.log();
  v1::EncodeRequest request;
  request.set_model("m");
  request.mutable_input()->set_raw(std::string(30'000'000, 'x'));
  v1::EncodeResponse response;
  const auto encode = [&] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    return server.stub().Encode(&context, request, &response);
  };
  const grpc::Status refused = encode();
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << refused.error_message();
  EXPECT_THAT(refused.error_message(), HasSubstr("--max-message-bytes"));
  EXPECT_THAT(HttpGet(server.http_port(), "/metrics").body,
              HasSubstr("kwta_refusals_total{reason=\"message_size\"} 1\n"));
  // The connection goes on.
  request.mutable_input()->set_raw(std::string(900'000, 'x'));
  EXPECT_NE(encode().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace kwta::testing
