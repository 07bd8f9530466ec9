#include "server/web/http_server.h"

#include <civetweb.h>

#include <cstring>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace kwta::server {
namespace {

constexpr char kThreads[] = "4";
constexpr absl::Duration kWakeInterval = absl::Milliseconds(10);
constexpr char kRequestTimeoutMilliseconds[] = "10000";
constexpr char kPlainText[] = "text/plain; charset=utf-8";
constexpr char kMetricsText[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr char kIndex[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>kwta-server</title></head><body>"
    "<h1>kwta-server</h1><ul>"
    "<li><a href=\"/metrics\">/metrics</a>: for Prometheus</li>"
    "<li><a href=\"/healthz\">/healthz</a>: 200 while the process is alive</li>"
    "<li><a href=\"/readyz\">/readyz</a>: 200 while it takes requests, 503 while it starts or drains</li>"
    "</ul></body></html>\n";

struct Reply {
  int code = 200;
  const char* reason = "OK";
  const char* type = kPlainText;
  std::string body;
};

Reply Answer(const HttpPages& pages, const std::string& method, const std::string& path,
             const std::string& authorization) {
  if (method != "GET" && method != "HEAD") return {405, "Method Not Allowed", kPlainText, "only GET and HEAD\n"};
  if (path == "/metrics") {
    const absl::Status status = pages.may_see ? pages.may_see(authorization) : absl::OkStatus();
    if (status.ok()) return {200, "OK", kMetricsText, pages.metrics()};
    return {401, "Unauthorized\r\nWWW-Authenticate: Bearer", kPlainText, absl::StrCat(status.message(), "\n")};
  }
  if (path == "/healthz") return {200, "OK", kPlainText, "ok\n"};
  if (path == "/readyz") {
    const std::string reason = pages.not_ready();
    if (reason.empty()) return {200, "OK", kPlainText, "ready\n"};
    return {503, "Service Unavailable", kPlainText, absl::StrCat("not ready: ", reason, "\n")};
  }
  if (path == "/") return {200, "OK", "text/html; charset=utf-8", kIndex};
  return {404, "Not Found", kPlainText, "there are /metrics, /healthz and /readyz\n"};
}

}  // namespace

struct HttpServer::Context {
  HttpPages pages;
  std::string host;
  mg_context* server = nullptr;
  absl::Mutex mutex;
  std::string last_error ABSL_GUARDED_BY(mutex);

  static int HandleRequest(mg_connection* connection) {
    const mg_request_info* request = mg_get_request_info(connection);
    const auto* context = static_cast<const Context*>(request->user_data);
    const char* authorization = mg_get_header(connection, "Authorization");
    const Reply reply = Answer(context->pages, request->request_method, request->local_uri,
                               authorization == nullptr ? "" : authorization);
    const std::string header = absl::StrCat("HTTP/1.1 ", reply.code, " ", reply.reason,
                                            "\r\nContent-Type: ", reply.type, "\r\nContent-Length: ", reply.body.size(),
                                            "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n");
    mg_write(connection, header.data(), header.size());
    if (std::strcmp(request->request_method, "HEAD") != 0) mg_write(connection, reply.body.data(), reply.body.size());
    return reply.code;
  }

  static int KeepError(const mg_connection* connection, const char* message) {
    auto* context = static_cast<Context*>(mg_get_user_data(mg_get_context(connection)));
    absl::MutexLock lock(&context->mutex);
    context->last_error = message;
    return 1;  // written nowhere else
  }
};

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& address, HttpPages pages) {
  auto context = std::make_unique<Context>();
  context->pages = std::move(pages);
  context->host = address.substr(0, address.rfind(':'));
  mg_init_library(0);
  mg_callbacks callbacks = {};
  callbacks.begin_request = &Context::HandleRequest;
  callbacks.log_message = &Context::KeepError;
  const char* options[] = {"listening_ports",           address.c_str(), "num_threads", kThreads, "request_timeout_ms",
                           kRequestTimeoutMilliseconds, nullptr};
  context->server = mg_start(&callbacks, context.get(), options);
  if (context->server == nullptr) {
    mg_exit_library();
    absl::MutexLock lock(&context->mutex);
    return absl::UnavailableError(absl::StrCat("cannot listen on '", address, "' for HTTP: ", context->last_error,
                                               "; the port may be in use: choose another with --http"));
  }
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(context)));
}

HttpServer::HttpServer(std::unique_ptr<Context> context) : context_(std::move(context)) {
  mg_server_port port = {};
  if (mg_get_server_ports(context_->server, 1, &port) == 1) port_ = port.port;
}

HttpServer::~HttpServer() {
  absl::Notification stopped;
  std::thread stopper([this, &stopped] {
    mg_stop(context_->server);
    stopped.Notify();
  });
  // The library's accepting thread sees that it is to stop every two seconds, or when somebody connects.
  while (!stopped.WaitForNotificationWithTimeout(kWakeInterval)) {
    char error[128];
    mg_connection* wake = mg_connect_client(context_->host.c_str(), port_, /*use_ssl=*/0, error, sizeof(error));
    if (wake != nullptr) mg_close_connection(wake);
  }
  stopper.join();
  mg_exit_library();
}

}  // namespace kwta::server
