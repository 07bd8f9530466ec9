// Two replicas are restarted one after the other while clients call both.

#include <atomic>
#include <filesystem>
#include <thread>

#include "client/client.h"
#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

constexpr int kClients = 3;

uint64_t EncodeRequests(ServerProcess& server) {
  grpc::ClientContext context;
  v1::StatusResponse response;
  EXPECT_TRUE(server.stub().Status(&context, {}, &response).ok());
  return response.encode_requests();
}

TEST(RollingRestart, LosesNoCall) {
  const std::vector<std::string> states = {MakeTemporaryDirectory(), MakeTemporaryDirectory()};
  std::vector<std::unique_ptr<ServerProcess>> servers;
  servers.push_back(std::make_unique<ServerProcess>(states[0]));
  ASSERT_TRUE(servers[0]->ready()) << servers[0]->log();
  ASSERT_EQ(TrainToEnd(servers[0]->stub(), SmallJob("m", 1)).state(), v1::JOB_STATE_SUCCEEDED);
  std::filesystem::copy(states[0] + "/models", states[1] + "/models", std::filesystem::copy_options::recursive);
  servers.push_back(std::make_unique<ServerProcess>(states[1]));
  ASSERT_TRUE(servers[1]->ready()) << servers[1]->log();

  client::Options options;
  options.address = servers[0]->grpc_address() + "," + servers[1]->grpc_address();
  client::Client client(options);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> answered{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < kClients; ++i) {
    callers.emplace_back([&] {
      const Tensor rows(DType::kU8, {1, 784});
      while (!stop) {
        const auto result = client.Encode("m", rows.rows());
        EXPECT_TRUE(result.ok()) << result.status();
        if (!result.ok()) return;
        ++answered;
      }
    });
  }
  for (size_t i = 0; i < servers.size(); ++i) {
    const std::string address = servers[i]->grpc_address();
    const int64_t before = answered;
    while (answered < before + 100) std::this_thread::yield();
    EXPECT_GT(EncodeRequests(*servers[i]), 0u);
    EXPECT_EQ(servers[i]->Stop(), 0) << servers[i]->log();
    servers[i] = std::make_unique<ServerProcess>(states[i], std::vector<std::string>{"--listen", address});
    ASSERT_TRUE(servers[i]->ready()) << servers[i]->log();
    while (EncodeRequests(*servers[i]) == 0 && answered < before + 1'000'000) std::this_thread::yield();
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  for (const auto& server : servers) {
    EXPECT_GT(EncodeRequests(*server), 0u) << "restarted servers are called again";
    EXPECT_EQ(server->Stop(), 0) << server->log();
  }
}

}  // namespace
}  // namespace kwta::testing
