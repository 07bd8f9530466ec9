// What the HTTP port says.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace kwta::server {

// What the pages ask for.
struct HttpPages {
  std::function<std::string()> metrics;
  // OK if who sent this Authorization header may see the metrics; empty: everybody may.
  std::function<absl::Status(const std::string& authorization)> may_see;
  // Empty if the server may be sent requests, else why not.
  std::function<std::string()> not_ready;
  // Empty, or what does not work although requests may be sent; shown where the server says that it is ready.
  std::function<std::string()> trouble;
};

struct HttpRequest {
  std::string method, path;
  std::string authorization;  // the header; empty: none
  // The client has shown a certificate that is trusted, or need not show any.
  bool trusted = true;
};

struct HttpReply {
  int code = 200;
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

// /healthz and /readyz answer everybody: probes show neither certificate nor token.
HttpReply Answer(const HttpPages& pages, const HttpRequest& request);

}  // namespace kwta::server
