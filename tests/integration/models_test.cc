// Versions, labels, a directory that others write to, replicas that share it, and swaps under load, on real servers.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(60);

// A trained model, made once: its bundle.
const std::string& TrainedBundle() {
  static const std::string bundle = [] {
    const std::string directory = MakeTemporaryDirectory();
    ServerProcess server(directory);
    EXPECT_TRUE(server.ready()) << server.log();
    EXPECT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).model_version(), 1u);
    EXPECT_EQ(server.Stop(), 0);
    return directory + "/models/fashion/1";
  }();
  return bundle;
}

// Puts the bundle into `models` as a version of "fashion", at once.
void Drop(const std::string& models, int version) {
  const std::string temporary = models + "/.new-" + std::to_string(version);
  fs::create_directories(models + "/fashion");
  fs::copy(TrainedBundle(), temporary, fs::copy_options::recursive);
  fs::rename(temporary, models + "/fashion/" + std::to_string(version));
}

v1::Model GetModel(v1::EncoderService::Stub& stub) {
  grpc::ClientContext context;
  v1::GetModelRequest request;
  request.set_model("fashion");
  v1::GetModelResponse response;
  stub.GetModel(&context, request, &response).ok();
  return response.model();
}

// Asks until the model is as it should be, or patience ends.
template <typename Condition>
bool WaitUntil(v1::EncoderService::Stub& stub, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (condition(GetModel(stub))) return true;
    std::this_thread::yield();
  }
  return false;
}

// The version that answers a call without a version.
uint64_t Served(ServerProcess& server, const std::string& label = "") {
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  request.set_label(label);
  v1::EncodeResponse response;
  const grpc::Status status = Encode(server.stub(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.model_version();
}

grpc::Status SetLabel(ServerProcess& server, const std::string& label, uint64_t version) {
  grpc::ClientContext context;
  v1::SetModelLabelRequest request;
  request.set_model("fashion");
  request.set_label(label);
  request.set_version(version);
  v1::SetModelLabelResponse response;
  return server.stub().SetModelLabel(&context, request, &response);
}

TEST(SharedModels, ReplicasFollowBundlesAndLabelsOfOneDirectory) {
  const std::string models = MakeTemporaryDirectory();
  Drop(models, 1);
  const std::vector<std::string> arguments = {"--model-dir", models};
  ServerProcess first(MakeTemporaryDirectory(), arguments);
  ServerProcess second(MakeTemporaryDirectory(), arguments);
  ASSERT_TRUE(first.ready() && second.ready()) << first.log() << second.log();
  EXPECT_EQ(Served(first), 1u);

  Drop(models, 2);
  const auto serves = [](uint64_t version) {
    return [version](const v1::Model& model) { return model.serving_version() == version; };
  };
  ASSERT_TRUE(WaitUntil(first.stub(), serves(2))) << first.log();
  ASSERT_TRUE(WaitUntil(second.stub(), serves(2))) << second.log();
  EXPECT_EQ(Served(second), 2u);

  ASSERT_TRUE(SetLabel(first, "stable", 1).ok());
  EXPECT_EQ(Served(first), 1u);
  ASSERT_TRUE(WaitUntil(second.stub(), serves(1))) << "labels are shared";
  EXPECT_EQ(Served(second, "canary"), 2u);

  // A bundle that is copied in piece by piece.
  const std::string third = models + "/fashion/3";
  fs::create_directory(third);
  fs::copy(TrainedBundle() + "/model.json", third);
  std::ofstream(third + "/model.safetensors", std::ios::binary) << "half";
  ASSERT_TRUE(WaitUntil(first.stub(), [](const v1::Model& model) {
    return model.versions_size() == 3 && model.versions(2).state() == v1::MODEL_STATE_FAILED;
  }));
  EXPECT_NE(GetModel(first.stub()).versions(2).failure().message().find("safetensors"), std::string::npos);
  EXPECT_EQ(Served(first, "canary"), 2u) << "what is broken serves nobody";
  fs::copy(TrainedBundle() + "/model.safetensors", third, fs::copy_options::overwrite_existing);
  ASSERT_TRUE(WaitUntil(first.stub(), [](const v1::Model& model) {
    return model.versions(2).state() == v1::MODEL_STATE_READY;
  })) << first.log();
  EXPECT_EQ(Served(first, "canary"), 3u);
  EXPECT_NE(
      HttpGet(first.http_port(), "/metrics").body.find("kwta_model_versions{model=\"fashion\",state=\"ready\"} 3"),
      std::string::npos);
  EXPECT_EQ(first.Stop(), 0) << first.log();
  EXPECT_EQ(second.Stop(), 0) << second.log();
}

TEST(SharedModels, AMemoryBudgetKeepsEveryModelUsable) {
  const std::string models = MakeTemporaryDirectory();
  for (const int version : {1, 2, 3}) Drop(models, version);
  // 64 units of 784 floats and their biases: two versions fit.
  ServerProcess server(MakeTemporaryDirectory(), {"--model-dir", models, "--model-memory", "450KB"});
  ASSERT_TRUE(server.ready()) << server.log();
  v1::EncodeRequest request = EncodeImages("fashion", 1);
  for (const uint64_t version : {1, 2, 3, 1, 2, 3}) {
    request.set_version(version);
    v1::EncodeResponse response;
    const grpc::Status status = Encode(server.stub(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.model_version(), version);
    int ready = 0;
    const v1::Model model = GetModel(server.stub());
    for (const v1::ModelVersion& each : model.versions()) {
      ready += each.state() == v1::MODEL_STATE_READY ? 1 : 0;
    }
    EXPECT_LE(ready, 2);
  }
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

TEST(SharedModels, LoadUnloadAndRollBackFromTheCommandLine) {
  const std::string models = MakeTemporaryDirectory();
  for (const int version : {1, 2}) Drop(models, version);
  ServerProcess server(MakeTemporaryDirectory(), {"--model-dir", models});
  ASSERT_TRUE(server.ready()) << server.log();
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {KWTA_CLI_PROGRAM, "--server", server.grpc_address(), "models"});
    return RunProgram(arguments);
  };
  ProgramResult result = run({"rollback", "fashion"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("version 1 is stable"), std::string::npos) << result.out;
  EXPECT_EQ(Served(server), 1u);
  EXPECT_EQ(run({"label", "fashion", "stable", "--remove"}).exit_code, 0);
  EXPECT_EQ(Served(server), 2u);
  EXPECT_EQ(run({"unload", "fashion", "--version", "2"}).exit_code, 0);
  EXPECT_EQ(Served(server), 1u);
  result = run({"fashion"});
  EXPECT_NE(result.out.find("unloaded"), std::string::npos) << result.out;
  EXPECT_EQ(run({"load", "fashion", "--version", "2"}).exit_code, 0);
  EXPECT_EQ(Served(server), 2u);
  EXPECT_EQ(run({"label", "fashion", "stable"}).exit_code, 2) << "neither --version nor --remove";
  result = run({"label", "fashion", "stable", "--version", "9"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("no version 9"), std::string::npos) << result.err;
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

TEST(SharedModels, SwapsUnderLoadFailNoCall) {
  const std::string models = MakeTemporaryDirectory();
  Drop(models, 1);
  ServerProcess server(MakeTemporaryDirectory(), {"--model-dir", models});
  ASSERT_TRUE(server.ready()) << server.log();
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0}, failures{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      const v1::EncodeRequest request = EncodeImages("fashion", 2);
      while (!stop) {
        v1::EncodeResponse response;
        if (!Encode(server.stub(), request, &response).ok()) ++failures;
        ++calls;
      }
    });
  }
  constexpr int kSwaps = 20;
  for (int version = 2; version < 2 + kSwaps; ++version) {
    Drop(models, version);
    grpc::ClientContext context;
    v1::LoadModelRequest load;
    load.set_model("fashion");
    v1::LoadModelResponse loaded;
    const grpc::Status status = server.stub().LoadModel(&context, load, &loaded);
    ASSERT_TRUE(status.ok()) << status.error_message();
    grpc::ClientContext deletion_context;
    v1::DeleteModelRequest deletion;
    deletion.set_model("fashion");
    deletion.set_version(version - 1);
    v1::DeleteModelResponse deleted;
    EXPECT_TRUE(server.stub().DeleteModel(&deletion_context, deletion, &deleted).ok());
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failures, 0);
  EXPECT_GT(calls, kSwaps);
  EXPECT_EQ(Served(server), 1u + kSwaps);
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

}  // namespace
}  // namespace kwta::testing
