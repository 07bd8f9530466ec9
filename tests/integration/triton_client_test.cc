// The stock tritonclient[grpc,http] from PyPI against a real server.
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "tests/integration/server_process.h"
#include "tests/integration/service_helpers.h"

namespace kwta::testing {
namespace {

TEST(TritonClient, WorksUnchanged) {
  const std::string setup = std::string(KWTA_SOURCE_DIR) + "/scripts/triton-client";
  const ProgramResult made = RunProgram({setup, KWTA_BINARY_DIR "/triton-client"});
  if (made.exit_code == 77) GTEST_SKIP() << made.err;
  ASSERT_EQ(made.exit_code, 0) << made.err;

  const std::string directory = MakeTemporaryDirectory();
  ServerProcess server(directory);
  ASSERT_TRUE(server.ready()) << server.log();
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).model_version(), 1u);
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 2)).model_version(), 2u);
  v1::TrainRequest tuning = SmallJob("tuned", 2);
  tuning.mutable_spec()->clear_encoder();
  tuning.mutable_spec()->mutable_base()->set_model("fashion");
  tuning.mutable_spec()->mutable_fine_tuning()->set_classifier_epochs(1);
  ASSERT_EQ(TrainToEnd(server.stub(), tuning).state(), v1::JOB_STATE_SUCCEEDED) << server.log();
  // The one over gRPC comes last: it takes the older version out of use.
  const std::pair<const char*, std::string> clients[] = {
      {"triton_http_client.py", "127.0.0.1:" + std::to_string(server.http_port())},
      {"triton_client.py", server.grpc_address()}};
  for (const auto& [script, address] : clients) {
    const ProgramResult result = RunProgram({KWTA_BINARY_DIR "/triton-client/bin/python",
                                             std::string(KWTA_SOURCE_DIR) + "/tests/integration/" + script, address,
                                             "fashion", "784", "64", "5", "tuned"});
    EXPECT_EQ(result.exit_code, 0) << script << "\n" << result.out << result.err;
  }
  EXPECT_EQ(server.Stop(), 0) << server.log();

  ServerProcess unpacking(directory, {"--accept-compression"});
  ASSERT_TRUE(unpacking.ready()) << unpacking.log();
  const ProgramResult packed = RunProgram({KWTA_BINARY_DIR "/triton-client/bin/python",
                                           std::string(KWTA_SOURCE_DIR) + "/tests/integration/triton_packing_client.py",
                                           "127.0.0.1:" + std::to_string(unpacking.http_port()), "fashion", "784"});
  EXPECT_EQ(packed.exit_code, 0) << packed.out << packed.err;
}

}  // namespace
}  // namespace kwta::testing
