#include "tests/integration/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
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

namespace {

HttpReply HttpAsk(int port, const std::string& request) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    if (write(descriptor, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char block[4096];
      ssize_t count;
      while ((count = read(descriptor, block, sizeof(block))) > 0) answer.append(block, static_cast<size_t>(count));
    }
  }
  close(descriptor);
  HttpReply reply;
  const size_t space = answer.find(' ');
  const size_t blank = answer.find("\r\n\r\n");
  if (space == std::string::npos || blank == std::string::npos) return reply;
  reply.status = std::atoi(answer.c_str() + space);
  reply.body = answer.substr(blank + 4);
  return reply;
}

}  // namespace

HttpReply HttpGet(int port, const std::string& path, const std::string& headers) {
  return HttpAsk(port, "GET " + path + " HTTP/1.0\r\nHost: localhost\r\n" + headers + "\r\n");
}

HttpReply HttpPost(int port, const std::string& path, const std::string& body) {
  return HttpAsk(port, "POST " + path +
                           " HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
                           std::to_string(body.size()) + "\r\n\r\n" + body);
}

}  // namespace kwta::testing
