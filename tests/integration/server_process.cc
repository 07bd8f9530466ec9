#include "tests/integration/server_process.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>

#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "nlohmann/json.hpp"

namespace kwta::testing {

ServerProcess::ServerProcess(const std::string& state_directory, const std::vector<std::string>& arguments) {
  // Trainers of the lowest priority would starve where other tests take all processors.
  std::vector<std::string> argv = {KWTA_SERVER_PROGRAM,
                                   "--state-dir",
                                   state_directory,
                                   "--listen",
                                   "127.0.0.1:0",
                                   "--http",
                                   "127.0.0.1:0",
                                   "--trainer-niceness",
                                   "0",
                                   "--data-dir",
                                   KWTA_TEST_DATA "/datasets"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  std::string ready;
  process_ = std::make_unique<ChildProcess>(argv, MakeTemporaryDirectory() + "/server", &ready);
  const auto ports = nlohmann::json::parse(ready, nullptr, /*allow_exceptions=*/false);
  if (!ports.is_object()) return;
  grpc_port_ = ports["grpc"].get<int>();
  http_port_ = ports["http"].get<int>();
  grpc_address_ = "127.0.0.1:" + std::to_string(grpc_port_);
  // A channel of its own: pooled subchannels would remember an earlier server.
  grpc::ChannelArguments channel_arguments;
  channel_arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_arguments.SetMaxReceiveMessageSize(-1);
  channel_ = grpc::CreateCustomChannel(grpc_address_, grpc::InsecureChannelCredentials(), channel_arguments);
  stub_ = v1::EncoderService::NewStub(channel_);
}

int ServerProcess::Stop() {
  process_->Signal(SIGTERM);
  return process_->Wait();
}

}  // namespace kwta::testing
