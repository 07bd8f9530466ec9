#include "server/services/grpc/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"

namespace kwta::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    loop_ = std::make_unique<CompletionLoop>(builder.AddCompletionQueue());
    site_.loop = loop_.get();
    HealthService::Parts parts;
    parts.services = {"some.Service"};
    parts.model_serves = [this](absl::string_view name) {
      return name == "digits" ? std::optional<bool>(digits_serve_) : std::nullopt;
    };
    parts.max_watchers = 4;
    parts.site = &site_;
    health_ = std::make_unique<HealthService>(std::move(parts));
    health_->AddTo(&methods_);
    listener_.emplace(&methods_, &pipeline_, loop_.get(), 1 << 20);
    listener_->Register(&builder);
    server_ = builder.BuildAndStart();
    listener_->Listen();
    loop_->Start();
    stub_ =
        Health::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials()));
  }

  ~HealthServiceTest() override { Stop(); }

  void Stop() {
    if (loop_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    loop_->Finish();
    loop_.reset();
  }

  // The status and the state of a service.
  std::pair<grpc::StatusCode, HealthCheckResponse::ServingStatus> Check(const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const grpc::Status status = stub_->Check(&context, request, &response);
    return {status.error_code(), response.status()};
  }

  Metrics metrics_{"1.2.3", "reference", absl::UnixEpoch()};
  const CallPipeline pipeline_{nullptr, nullptr, &metrics_};
  std::unique_ptr<CompletionLoop> loop_;
  TimeoutList bodies_{absl::Seconds(60)};
  CallSite site_{nullptr, &pipeline_, &bodies_, nullptr, nullptr};
  MethodTable methods_;
  std::atomic<bool> digits_serve_{false};
  std::unique_ptr<HealthService> health_;
  std::optional<CallListener> listener_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Health::Stub> stub_;
};

TEST_F(HealthServiceTest, ChecksTellTheState) {
  for (const char* service : {"", "some.Service"}) {
    EXPECT_EQ(Check(service), std::make_pair(grpc::StatusCode::OK, HealthCheckResponse::NOT_SERVING)) << service;
  }
  health_->SetServing(true);
  for (const char* service : {"", "some.Service"}) {
    EXPECT_EQ(Check(service), std::make_pair(grpc::StatusCode::OK, HealthCheckResponse::SERVING)) << service;
  }
  EXPECT_EQ(Check("other.Service").first, grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthServiceTest, WatchersAreToldOfChangesUntilTheServerStops) {
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("some.Service");
  const auto watch = stub_->Watch(&context, request);
  HealthCheckResponse response;
  for (const bool serving : {false, true, false}) {
    health_->SetServing(serving);
    ASSERT_TRUE(watch->Read(&response));
    EXPECT_EQ(response.status(), serving ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING);
  }
  Stop();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_FALSE(watch->Finish().ok());
}

TEST_F(HealthServiceTest, AServiceThatIsNotThereMayBeWatched) {
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("other.Service");
  const auto watch = stub_->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(HealthServiceTest, ModelsHaveAHealthOfTheirOwn) {
  using Expected = std::pair<grpc::StatusCode, HealthCheckResponse::ServingStatus>;
  digits_serve_ = true;
  EXPECT_EQ(Check("model/digits"), Expected(grpc::StatusCode::OK, HealthCheckResponse::NOT_SERVING))
      << "nor does the server";
  health_->SetServing(true);
  EXPECT_EQ(Check("model/digits"), Expected(grpc::StatusCode::OK, HealthCheckResponse::SERVING));
  EXPECT_EQ(Check("model/other").first, grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Check("digits").first, grpc::StatusCode::NOT_FOUND);
  grpc::ClientContext context;
  HealthCheckRequest request;
  request.set_service("model/digits");
  const auto watch = stub_->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  digits_serve_ = false;
  ASSERT_TRUE(watch->Read(&response)) << "changes of models are seen within a second or two";
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, AHostHasHalfOfTheWatchers) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<HealthCheckResponse>>> watches;
  HealthCheckResponse response;
  const auto watch = [&] {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    watches.push_back(stub_->Watch(contexts.back().get(), HealthCheckRequest()));
    return watches.back()->Read(&response);
  };
  EXPECT_TRUE(watch());
  EXPECT_TRUE(watch());
  EXPECT_FALSE(watch());
  const grpc::Status status = watches.back()->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("2 health watchers of this host"), std::string::npos) << status.error_message();
  EXPECT_NE(status.error_message().find("--max-health-watchers"), std::string::npos) << status.error_message();
  EXPECT_EQ(contexts.back()->GetServerTrailingMetadata().count("grpc-retry-pushback-ms"), 1u);
  EXPECT_EQ(Check("").first, grpc::StatusCode::OK) << "checks are not watchers";
  contexts.front()->TryCancel();
  EXPECT_FALSE(watches.front()->Read(&response));
  bool taken = false;
  while (!taken) taken = watch();  // once the server has seen that the first is gone
}

}  // namespace
}  // namespace kwta::server
