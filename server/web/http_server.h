// The HTTP port: /metrics, /healthz, /readyz, and a page that says so; with TLS if there are certificates.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/web/pages.h"
#include "server/web/tls_credentials.h"

namespace kwta::server {

// Serves from Start until it is destroyed, from one thread that waits for nobody: connections that send or take nothing
// for 10 s are closed, and there are no more than 1024 of them, 128 of one host.
//
// /healthz says 200 as long as the process can answer at all; /readyz says 503 while the server starts or drains; both
// answer everybody. With TLS, clients are asked for a certificate if there is an authority that signs them; without one
// that it trusts they see these two pages only.
class HttpServer {
 public:
  // `address` is host:port; port 0 takes a free one. `tls` may be null: plain HTTP. The pages are asked for what they
  // show from the server's thread. Errors: UNAVAILABLE (port in use, no such address).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                           std::unique_ptr<TlsCredentials> tls, HttpPages pages);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }

 private:
  struct Context;
  explicit HttpServer(std::unique_ptr<Context> context, int port);

  const std::unique_ptr<Context> context_;
  const int port_;
};

}  // namespace kwta::server
