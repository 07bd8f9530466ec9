// grpc.health.v1.Health on the thread of calls.
//
// gRPC's own health service brings threads that wait for what connections receive, as the thread of calls does:
// whichever of them wakes up reads, and hands over to it. Without them that thread reads what it then answers.
#pragma once

#include <grpcpp/server_builder.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "grpc/health/v1/health.grpc.pb.h"
#include "server/services/grpc/completion_loop.h"

namespace kwta::server {

// Thread-safe.
class HealthService {
 public:
  // Answers for the server as a whole and for `services`, full names, all of which are in the same state: NOT_SERVING
  // at first. REQUIRES: `loop` outlives it.
  HealthService(std::vector<std::string> services, CompletionLoop* loop);
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // Before the server is built.
  void Register(grpc::ServerBuilder* builder) { builder->RegisterService(&service_); }
  // After it was built.
  void Listen();

  // Tells those who watch, too. REQUIRES: the loop has not finished.
  void SetServing(bool serving);

 private:
  using Response = grpc::health::v1::HealthCheckResponse;
  class CheckCall;
  class WatchCall;

  Response::ServingStatus StatusOf(const std::string& service) const;

  std::set<std::string> services_;
  CompletionLoop* const loop_;
  grpc::health::v1::Health::AsyncService service_;
  std::atomic<bool> serving_{false};
  std::set<WatchCall*> watchers_;  // the loop's
};

}  // namespace kwta::server
