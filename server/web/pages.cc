#include "server/web/pages.h"

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kHtml[] = "text/html; charset=utf-8";
constexpr char kIndex[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>kwta-server</title></head><body>"
    "<h1>kwta-server</h1><ul>"
    "<li><a href=\"/metrics\">/metrics</a>: for Prometheus</li>"
    "<li><a href=\"/healthz\">/healthz</a>: 200 while the process is alive</li>"
    "<li><a href=\"/readyz\">/readyz</a>: 200 while it takes requests, 503 while it starts or drains</li>"
    "</ul></body></html>\n";

}  // namespace

HttpReply Answer(const HttpPages& pages, const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD") return {405, kPlainText, "only GET and HEAD\n"};
  if (request.path == "/healthz") return {200, kPlainText, "ok\n"};
  if (request.path == "/readyz") {
    const std::string reason = pages.not_ready();
    const std::string trouble = reason.empty() && pages.trouble ? pages.trouble() : "";
    if (reason.empty()) return {200, kPlainText, trouble.empty() ? "ready\n" : absl::StrCat("ready; ", trouble, "\n")};
    return {503, kPlainText, absl::StrCat("not ready: ", reason, "\n")};
  }
  if (!request.trusted) {
    return {403, kPlainText, "show a client certificate that an authority of --tls-client-ca has signed\n"};
  }
  if (request.path == "/metrics") {
    const absl::Status status = pages.may_see ? pages.may_see(request.authorization) : absl::OkStatus();
    if (status.ok()) return {200, kMetricsText, pages.metrics()};
    return {401, kPlainText, absl::StrCat(status.message(), "\n")};
  }
  if (request.path == "/") return {200, kHtml, kIndex};
  return {404, kPlainText, "there are /metrics, /healthz and /readyz\n"};
}

}  // namespace kwta::server
