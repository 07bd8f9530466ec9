// The HTTP port: /metrics, /healthz, /readyz, and a page that says so.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::server {

// What the pages ask for. Called from several threads at a time.
struct HttpPages {
  std::function<std::string()> metrics;
  // OK if who sent this Authorization header may see the metrics; empty: everybody may.
  std::function<absl::Status(const std::string& authorization)> may_see;
  // Empty if the server may be sent requests, else why not.
  std::function<std::string()> not_ready;
};

// Serves from Start until it is destroyed. /healthz says 200 as long as the process can answer at all; /readyz says 503
// while the server starts or drains; both answer everybody.
class HttpServer {
 public:
  // `address` is host:port; port 0 takes a free one. Errors: UNAVAILABLE (port in use, no such address).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address, HttpPages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  struct Context;
  explicit HttpServer(std::unique_ptr<Context> context);

  std::unique_ptr<Context> context_;
  int port_ = 0;
};

}  // namespace kwta::server
