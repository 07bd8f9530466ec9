// The pages of the HTTP port.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

namespace kwta::server {

// Callbacks that provide what the pages show.
struct HttpPages {
  std::function<std::string()> metrics;
  // Returns OK if the sender of this Authorization header may see the metrics. Empty: everybody may.
  std::function<absl::Status(const std::string& authorization)> may_see;
  // Returns an empty string if the server accepts requests, else the reason why not.
  std::function<std::string()> not_ready;
  // Returns what does not work although requests are accepted, else an empty string. Shown where the server says that
  // it is ready.
  std::function<std::string()> trouble;
};

struct HttpRequest {
  std::string method, path;
  std::string authorization;  // the header; empty: none
  // The client has shown a trusted certificate, or need not show any.
  bool trusted = true;
};

struct HttpReply {
  int code = 200;
  const char* type = "text/plain; charset=utf-8";
  std::string body;
};

// /healthz and /readyz answer everybody, because probes show neither certificate nor token.
HttpReply Answer(const HttpPages& pages, const HttpRequest& request);

}  // namespace kwta::server
