// The pages that monitoring reads.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "server/web/http_routes.h"

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

// Adds /metrics, /healthz and /readyz. /healthz returns 200 as long as the process can answer at all. /readyz returns
// 503 while the server starts or drains. Both answer everybody, because probes show neither certificate nor token.
void AddMonitoringPages(HttpPages pages, HttpRoutes* routes);

}  // namespace kwta::server
