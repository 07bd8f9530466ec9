// Serves grpc.health.v1.Health on the thread of calls.
//
// gRPC's own health service adds threads that wait for incoming data on connections, as the thread of calls does.
// Whichever wakes up reads the data, and then must hand it over. Without them, the thread of calls reads what it
// answers.
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
  // Answers for the server as a whole and for `services`, which are full names. All have the same state, NOT_SERVING at
  // first. REQUIRES: `loop` outlives it.
  HealthService(std::vector<std::string> services, CompletionLoop* loop);
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // Call before the server is built.
  void Register(grpc::ServerBuilder* builder) { builder->RegisterService(&service_); }
  // Call after the server was built.
  void Listen();

  // Also notifies the watchers. REQUIRES: the loop has not finished.
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
  std::set<WatchCall*> watchers_;  // used on the loop's thread
};

}  // namespace kwta::server
