// The stock tritonclient[grpc] from PyPI against a real server.
#include <string>

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

  ServerProcess server(MakeTemporaryDirectory());
  ASSERT_TRUE(server.ready()) << server.log();
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 1)).model_version(), 1u);
  ASSERT_EQ(TrainToEnd(server.stub(), SmallJob("fashion", 2)).model_version(), 2u);
  const ProgramResult result = RunProgram({KWTA_BINARY_DIR "/triton-client/bin/python",
                                           std::string(KWTA_SOURCE_DIR) + "/tests/integration/triton_client.py",
                                           server.grpc_address(), "fashion", "784", "64", "5"});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_EQ(server.Stop(), 0) << server.log();
}

}  // namespace
}  // namespace kwta::testing
