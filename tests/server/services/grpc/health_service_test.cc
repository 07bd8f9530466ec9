#include "server/services/grpc/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

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
    health_ = std::make_unique<HealthService>(std::vector<std::string>{"some.Service"}, loop_.get());
    health_->Register(&builder);
    server_ = builder.BuildAndStart();
    health_->Listen();
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

  std::unique_ptr<CompletionLoop> loop_;
  std::unique_ptr<HealthService> health_;
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

}  // namespace
}  // namespace kwta::server
