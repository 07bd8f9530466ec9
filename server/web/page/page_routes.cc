#include "server/web/page/page_routes.h"

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/web/http_compression.h"
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

// A text of the page, and the same in gzip's form.
struct PackedText {
  explicit PackedText(std::string text) : plain(std::move(text)), gzip(GzipOf(plain)) {}

  const std::string plain, gzip;
};

HttpResponse ResponseOf(const PackedText& text, const char* type, const HttpRequest& request) {
  HttpResponse response;
  response.type = type;
  response.headers = {{"Content-Security-Policy", kContentPolicy},
                      {"Referrer-Policy", "no-referrer"},
                      {"Cross-Origin-Opener-Policy", "same-origin"},
                      {"Cross-Origin-Resource-Policy", "same-origin"},
                      {"Vary", "Accept-Encoding"}};
  const bool packed = !text.gzip.empty() && TakesGzip(request.Header("accept-encoding"));
  if (packed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = packed ? text.gzip : text.plain;
  return response;
}

HttpResponse AskForToken(const PackedText& form, const char* type, const HttpRequest& request,
                         const absl::Status& access) {
  HttpResponse response = ResponseOf(form, type, request);
  response.code = 401;
  response.status = access;
  response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

// The start page as a browser sees it that must show a token.
std::string WithForm(absl::string_view page) {
  return absl::StrReplaceAll(page, {{"data-access=\"open\"", "data-access=\"token\""}});
}

}  // namespace

void AddStatusPage(std::function<absl::Status(const std::string& authorization)> may_see, HttpRoutes* routes) {
  for (const PageFile& file : PageFiles()) {
    HttpRoute route;
    route.verb = "GET";
    route.pattern = absl::StrCat("/page/", file.name);
    const char* const type = TypeOf(file.name);
    const auto text = std::make_shared<const PackedText>(std::string(file.contents));
    route.handler = QuickHandler([text, type](const HttpRequest& request) { return ResponseOf(*text, type, request); });
    if (file.name == kStartPage) {
      route.pattern = "/";
      const auto form = std::make_shared<const PackedText>(WithForm(file.contents));
      route.handler = QuickHandler([text, form, type, may_see](const HttpRequest& request) {
        const absl::Status access = may_see ? may_see(request.Header("authorization")) : absl::OkStatus();
        return access.ok() ? ResponseOf(*text, type, request) : AskForToken(*form, type, request, access);
      });
    }
    routes->Add(std::move(route));
  }
}

}  // namespace kwta::server
