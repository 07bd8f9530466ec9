// Serves grpc.health.v1.Health on the thread of calls, without tokens: for the server, for each service, and for each
// model as "model/NAME".
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "grpc/health/v1/health.pb.h"
#include "server/services/grpc/call_listener.h"
#include "server/services/grpc/unary_call.h"
#include "server/services/open_calls.h"

namespace kwta::server {

// Thread-safe.
class HealthService {
 public:
  struct Parts {
    std::set<std::string> services;  // full names
    // Whether the server can encode with a model now; nullopt: there is none of that name.
    std::function<std::optional<bool>(absl::string_view model)> model_serves;
    int max_watchers = 1024;  // of all hosts; one host may have half of that
    const CallSite* site = nullptr;
  };

  // The server and its services have the same state, NOT_SERVING at first. REQUIRES: the site outlives it.
  explicit HealthService(Parts parts);
  HealthService(const HealthService&) = delete;
  HealthService& operator=(const HealthService&) = delete;

  // Call before the loop starts. REQUIRES: the loop finishes before the service is destroyed.
  void AddTo(MethodTable* table);

  // Also notifies the watchers. REQUIRES: the loop has not finished.
  void SetServing(bool serving);

  // Open calls of Watch.
  int watchers() const { return watching_.open(); }

 private:
  using Response = grpc::health::v1::HealthCheckResponse;
  class CheckCall;
  class WatchCall;

  Response::ServingStatus StatusOf(const std::string& service) const;
  // Tells the watchers what has changed.
  void Notify();

  const Parts parts_;
  OpenCalls checking_, watching_;
  std::atomic<bool> serving_{false};
  std::set<WatchCall*> watchers_;  // used on the loop's thread
};

}  // namespace kwta::server
