#include "server/web/pages.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kwta::server {
namespace {

constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse Page(int code, const char* type, std::string body) {
  HttpResponse response;
  response.code = code;
  response.type = type;
  response.body = std::move(body);
  return response;
}

HttpResponse Readiness(const HttpPages& pages) {
  const std::string reason = pages.not_ready();
  if (!reason.empty()) return Page(503, kPlainText, absl::StrCat("not ready: ", reason, "\n"));
  const std::string trouble = pages.trouble ? pages.trouble() : "";
  return Page(200, kPlainText, trouble.empty() ? "ready\n" : absl::StrCat("ready; ", trouble, "\n"));
}

HttpResponse MetricsPage(const HttpPages& pages, const HttpRequest& request) {
  const absl::Status status = pages.may_see ? pages.may_see(request.Header("authorization")) : absl::OkStatus();
  return status.ok() ? Page(200, kMetricsText, pages.metrics()) : HttpError(status);
}

void AddPage(const char* path, HttpAccess access, HttpQuickHandler handler, HttpRoutes* routes) {
  HttpRoute route;
  route.verb = "GET";
  route.pattern = path;
  route.access = access;
  route.handler = QuickHandler(std::move(handler));
  routes->Add(std::move(route));
}

}  // namespace

void AddMonitoringPages(HttpPages pages, HttpRoutes* routes) {
  const auto shared = std::make_shared<const HttpPages>(std::move(pages));
  AddPage(
      "/healthz", HttpAccess::kEverybody, [](const HttpRequest&) { return Page(200, kPlainText, "ok\n"); }, routes);
  AddPage(
      "/readyz", HttpAccess::kEverybody, [shared](const HttpRequest&) { return Readiness(*shared); }, routes);
  AddPage(
      "/metrics", HttpAccess::kTrusted, [shared](const HttpRequest& request) { return MetricsPage(*shared, request); },
      routes);
}

}  // namespace kwta::server
