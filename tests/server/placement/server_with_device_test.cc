// A whole server on a device that fails while it serves: what callers, probes, metrics and status say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "core/backends/backend_registry.h"
#include "core/io/model_bundle.h"
#include "server/server.h"
#include "tests/http_get.h"
#include "tests/server/placement/device_fixture.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ServerWithDeviceTest : public ::testing::Test {
 protected:
  ServerWithDeviceTest() {
    for (const char* name : {"a", "b"}) {
      const std::filesystem::path model = directory_.File(absl::StrCat("models/", name));
      std::filesystem::create_directories(model);
      EXPECT_EQ(WriteModelBundle((model / "1").string(), SmallModel(name)), absl::OkStatus());
    }
    options_.state_directory = directory_.File("state");
    options_.model_directory = directory_.File("models");
    options_.listen_address = options_.http_address = "127.0.0.1:0";
    options_.threads = 1;
    options_.drain_grace_seconds = 1;
  }

  void Start() {
    auto server = Server::Start(options_, {}, [this](const Options&) -> absl::StatusOr<ComputeBackends> {
      return ComputeBackends{*CreateBackend("reference", {1}), no_device_.ok() ? device_.backend : nullptr, no_device_};
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    client::Options options;
    options.address = absl::StrCat("127.0.0.1:", server_->grpc_port());
    client_ = std::make_unique<client::Client>(options);
  }

  void ExpectCodes(const std::string& model) {
    const Tensor rows = SmallRows(5);
    const auto result = client_->Encode(model, rows.rows());
    ASSERT_TRUE(result.ok()) << result.status();
    ExpectSameCodes(result->codes, ReferenceCodes(SmallModel(model), rows));
  }
  v1::ModelVersion Version(const std::string& model) { return client_->GetModel(model)->versions(0); }
  std::string Page(const std::string& path) { return testing::HttpGet(server_->http_port(), path).body; }

  TemporaryDirectory directory_;
  TestDevice device_;
  absl::Status no_device_;
  Options options_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<client::Client> client_;
};

TEST_F(ServerWithDeviceTest, SaysWhereEachVersionIsEncoded) {
  options_.device_models = "a";
  options_.device_memory_bytes = 1 << 20;
  Start();
  ExpectCodes("a");
  ExpectCodes("b");
  EXPECT_EQ(Version("a").placement().device(), "device 0");
  EXPECT_EQ(Version("b").placement().device(), "");
  EXPECT_EQ(Version("b").placement().reason(), "--device-models does not name it");
  const auto status = client_->ServerStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->backend(), "faulty");
  EXPECT_EQ(status->device().name(), "device 0");
  EXPECT_EQ(status->device().failure(), "");
  EXPECT_EQ(status->device().models_bytes(), kSmallModelReserved);
  EXPECT_EQ(status->device().models_bytes_limit(), 1 << 20);
  EXPECT_GE(status->device().used_bytes(), kSmallModelBytes);
  EXPECT_EQ(Page("/readyz"), "ready\n");
  const std::string metrics = Page("/metrics");
  EXPECT_THAT(metrics, HasSubstr("\nkwta_model_placement{model=\"a\",place=\"device\",version=\"1\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_model_placement{model=\"b\",place=\"processor\",version=\"1\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_info{device=\"device 0\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_failed 0\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_models_bytes_limit 1048576\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_batches_in_flight 0\n"));
  EXPECT_THAT(metrics, Not(HasSubstr("\nkwta_device_batches_total 0\n")));
}

TEST_F(ServerWithDeviceTest, ServesOnWhenTheDeviceIsLostUnderLoad) {
  Start();
  ExpectCodes("a");
  constexpr int kCallers = 4, kCalls = 20;
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&, caller] {
      for (int call = 0; call < kCalls; ++call) {
        if (++answered == kCallers * kCalls / 2) device_.device->lose_at_call = device_.device->calls + 3;
        ExpectCodes(caller % 2 == 0 ? "a" : "b");
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(Version("a").placement().device(), "");
  EXPECT_THAT(Version("b").placement().reason(), HasSubstr("the device has failed: device 0 is lost"));
  EXPECT_THAT(client_->ServerStatus()->device().failure(), HasSubstr("it fell off the bus"));
  const testing::HttpReply ready = testing::HttpGet(server_->http_port(), "/readyz");
  EXPECT_EQ(ready.status, 200) << "it serves";
  EXPECT_THAT(ready.body, AllOf(HasSubstr("ready; the processor computes, since the device has failed: "),
                                HasSubstr("it fell off the bus")));
  const std::string metrics = Page("/metrics");
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_failed 1\n"));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_model_placement{model=\"a\",place=\"processor\",version=\"1\"} 1\n"));
  EXPECT_THAT(metrics, Not(HasSubstr("\nkwta_device_fallbacks_total{reason=\"failure\"} 0\n")));
  EXPECT_THAT(metrics, HasSubstr("\nkwta_device_fallbacks_total{reason=\"memory\"} 0\n"));
  // A model that is read again finds the device as it is.
  ASSERT_TRUE(client_->LoadModel("a", 1, true).ok());
  ExpectCodes("a");
}

TEST_F(ServerWithDeviceTest, RefusesWhatDoesNotFitIfThatIsAskedFor) {
  options_.device_full = "refuse";
  Start();
  ExpectCodes("a");
  device_.device->out_of_memory = true;
  const absl::Status status = client_->Encode("a", SmallRows(5).rows()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--device-full"));
  EXPECT_THAT(Page("/metrics"), HasSubstr("\nkwta_refusals_total{reason=\"device_memory\"} 1\n"));
  device_.device->out_of_memory = false;
  ExpectCodes("a");
}

TEST_F(ServerWithDeviceTest, SaysWhyThereIsNone) {
  no_device_ = absl::UnavailableError("there is no CUDA driver");
  Start();
  ExpectCodes("a");
  const auto status = client_->ServerStatus();
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->backend(), "reference");
  EXPECT_EQ(status->device().name(), "");
  EXPECT_EQ(status->device().failure(), "there is no CUDA driver");
  EXPECT_FALSE(Version("a").has_placement());
  EXPECT_EQ(Page("/readyz"), "ready\n");
  EXPECT_THAT(Page("/metrics"), HasSubstr("\nkwta_device_failed 0\n")) << "it is missing, and did not fail";
}

}  // namespace
}  // namespace kwta::server
