#include "server/web/page/page_routes.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/web/page/page_files.h"

namespace kwta::server {
namespace {

constexpr char kStartPage[] = "index.html";
// Nothing from elsewhere, nothing inline, in nobody's frame.
constexpr char kContentPolicy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const char* TypeOf(absl::string_view name) {
  if (absl::EndsWith(name, ".html")) return "text/html; charset=utf-8";
  if (absl::EndsWith(name, ".css")) return "text/css; charset=utf-8";
  if (absl::EndsWith(name, ".svg")) return "image/svg+xml";
  return "text/javascript; charset=utf-8";
}

HttpResponse ResponseOf(const PageFile& file) {
  HttpResponse response;
  response.type = TypeOf(file.name);
  response.body = std::string(file.contents);
  response.headers = {{"Content-Security-Policy", kContentPolicy},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"}};
  return response;
}

HttpResponse StartPage(const PageFile& file, const absl::Status& access) {
  HttpResponse response = ResponseOf(file);
  if (access.ok()) return response;
  response.code = 401;
  response.status = access;
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  absl::StrReplaceAll({{"data-access=\"open\"", "data-access=\"token\""}}, &response.body);
  return response;
}

}  // namespace

void AddStatusPage(std::function<absl::Status(const std::string& authorization)> may_see, HttpRoutes* routes) {
  for (const PageFile& file : PageFiles()) {
    HttpRoute route;
    route.verb = "GET";
    route.pattern = absl::StrCat("/page/", file.name);
    route.handler = QuickHandler([file](const HttpRequest&) { return ResponseOf(file); });
    if (file.name == kStartPage) {
      route.pattern = "/";
      route.handler = QuickHandler([file, may_see](const HttpRequest& request) {
        return StartPage(file, may_see ? may_see(request.Header("authorization")) : absl::OkStatus());
      });
    }
    routes->Add(std::move(route));
  }
}

}  // namespace kwta::server
