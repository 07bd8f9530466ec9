// The HTTP port. Uses TLS if there are certificates.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/metrics/connection_series.h"
#include "server/services/call.h"
#include "server/web/http_routes.h"
#include "server/web/tls_credentials.h"

namespace kwta::server {

struct HttpServerOptions {
  std::string address;  // host:port; port 0 picks a free one
  // Bodies may be compressed. They are unpacked as they arrive, up to the limit of their route.
  bool accept_compression = false;
  // Limits on the bodies that are on their way or being answered, in all. One host may hold half of it.
  int64_t max_held_bytes = int64_t{256} << 20;

  int max_connections = 1024, max_connections_of_host = 128;
  int max_streams = 256, max_streams_of_host = 32;
  ConnectionSeries* series = nullptr;  // counts connections; null: nothing does. REQUIRES: it outlives the server
  int silence_seconds = 10;            // connections that send or take nothing for this long are closed
  absl::Duration body_time = absl::Minutes(1);  // how long the body of a request may take to arrive
};

// Serves from Start until it is destroyed, on one thread that waits for nobody. It limits the connections in all and of
// one host; if there are too many, it closes those first that have been idle longest, and refuses new ones only if none
// is idle. Streams of events stay open.
//
// The caller is authenticated before its body is read. With TLS, if an authority signs client certificates, the server
// asks clients for one; clients without a certificate that it trusts see only routes for everybody. Requests that a
// browser makes for the page of another site, other than GET and HEAD, are refused.
class HttpServer {
 public:
  // A null `tls` means plain HTTP. REQUIRES: the pipeline, and what the handlers use, outlive the server and each
  // exchange. Errors: UNAVAILABLE (port in use, no such address).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           std::unique_ptr<TlsCredentials> tls,
                                                           const CallPipeline* pipeline,
                                                           std::shared_ptr<const HttpRoutes> routes);
  // Ends streams, answers 503 to requests that are not answered yet, and closes every connection.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Replaces the table: requests that arrive from now on are looked up in `routes`.
  void SetRoutes(std::shared_ptr<const HttpRoutes> routes);
  // Ends every stream and opens no more.
  void EndStreams();

  int port() const { return port_; }
  // Bytes of bodies that are on their way or being answered. Thread-safe.
  int64_t held_bytes() const;

 private:
  class Loop;
  HttpServer(std::unique_ptr<Loop> loop, int port);

  const std::unique_ptr<Loop> loop_;
  const int port_;
};

}  // namespace kwta::server
