// A real kwta-server on free ports with a state directory of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "grpcpp/channel.h"
#include "kwta/v1/service.grpc.pb.h"
#include "tests/http_get.h"
#include "tests/integration/child_process.h"

namespace kwta::testing {

class ServerProcess {
 public:
  // Returns once the server is ready, or has given up: then ready() is false and log() says why.
  explicit ServerProcess(const std::string& state_directory, const std::vector<std::string>& arguments = {});

  bool ready() const { return grpc_port_ != 0; }
  const std::string& grpc_address() const { return grpc_address_; }
  int http_port() const { return http_port_; }
  v1::EncoderService::Stub& stub() { return *stub_; }
  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  ChildProcess& process() { return *process_; }

  // SIGTERM, then its exit status.
  int Stop();
  std::string log() const { return process_->Stderr(); }

 private:
  std::unique_ptr<ChildProcess> process_;
  int grpc_port_ = 0;
  int http_port_ = 0;
  std::string grpc_address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EncoderService::Stub> stub_;
};

}  // namespace kwta::testing
