// The HTTP port: /metrics, /healthz, /readyz, and a page that lists them. Uses TLS if there are certificates.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/web/pages.h"
#include "server/web/tls_credentials.h"

namespace kwta::server {

// Serves from Start until it is destroyed, on one thread that waits for nobody: it closes connections that send or take
// nothing for 10 s, and allows at most 1024 of them, 128 from one host.
//
// /healthz returns 200 as long as the process can answer at all. /readyz returns 503 while the server starts or drains.
// Both answer everybody. With TLS, if an authority signs client certificates, the server asks clients for one; clients
// without a certificate that it trusts see only these two pages.
class HttpServer {
 public:
  // Listens on `address`, host:port; port 0 picks a free one. A null `tls` means plain HTTP. The server's thread asks
  // `pages` for what they show. Errors: UNAVAILABLE (port in use, no such address).
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
