// A server of the HTTP port and a client that speaks to its socket.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "server/metrics/metrics.h"
#include "server/services/call.h"
#include "server/web/http_server.h"

namespace kwta::server {

// One connection; closes it when destroyed.
class HttpClient {
 public:
  explicit HttpClient(int port);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  int descriptor() const { return descriptor_; }
  // Returns false if the server does not take it.
  bool Send(absl::string_view bytes);
  // Reads until the connection ends, or `end` was read.
  std::string ReadUntil(absl::string_view end);
  std::string ReadAll() { return ReadUntil(""); }

 private:
  int descriptor_;
};

class HttpFixture : public ::testing::Test {
 protected:
  // The pipeline has `permits` and no authenticator unless the test sets one first.
  void StartServer(std::shared_ptr<const HttpRoutes> routes, HttpServerOptions options = {},
                   std::unique_ptr<TlsCredentials> tls = nullptr);

  // The whole answer to a request, whose connection is closed afterwards. `headers` end with "\r\n" each.
  std::string Ask(const std::string& verb, const std::string& path, const std::string& body = "",
                  const std::string& headers = "");

  // A route of GET or POST for the tests.
  static HttpRoute Route(const std::string& verb, const std::string& pattern, HttpHandler handler);

  Metrics metrics_{"1", "reference", absl::UnixEpoch()};
  CallPermits permits_{8};
  CallPipeline pipeline_{&permits_, nullptr, &metrics_};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace kwta::server
