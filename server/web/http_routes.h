// What the HTTP port answers: a table of verbs, patterns of paths, and handlers.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/services/method.h"
#include "server/web/http_exchange.h"
#include "server/web/http_message.h"

namespace kwta::server {

// Who is answered.
enum class HttpAccess {
  kEverybody,  // probes, which show neither certificate nor token
  kTrusted,    // with TLS, who shows a certificate if the server asks for one; no token (files of the status page)
  kMethod,     // who may call `method`: the pipeline of calls admits, counts and logs the request, as it does for gRPC
};

// Answers at once, on the server's thread, so it must neither wait nor compute for long.
using HttpQuickHandler = std::function<HttpResponse(const HttpRequest&)>;
// Is called on the server's thread and must not wait either. It keeps the exchange and replies later, from any thread.
using HttpHandler = std::function<void(const HttpExchangePtr&)>;

struct HttpRoute {
  // GET answers HEAD too. OPTIONS is answered from the table.
  std::string verb;
  // "/v2/models/{model}/infer": {name} stands for one segment that is not empty. A segment as it is written in one
  // pattern goes before a {name} of another.
  std::string pattern;
  HttpAccess access = HttpAccess::kTrusted;
  const Method* method = nullptr;  // for kMethod, else null
  // The largest body, unpacked. Bodies of routes that take none are dropped.
  int64_t max_body_bytes = 0;
  // Content types that the body may have; empty: any. A request that names no type is taken.
  std::vector<std::string> body_types;

  HttpHandler handler;
};

// Routes whose handler is quick. `handler` may wait in BlockingHandler: it runs on one of a few threads for such work.
HttpHandler QuickHandler(HttpQuickHandler handler);
HttpHandler BlockingHandler(HttpQuickHandler handler);

// Not thread-safe. Once a server has it, it does not change any more.
class HttpRoutes {
 public:
  // Returns the route, for as long as none is added. REQUIRES: the table has no such route yet.
  HttpRoute& Add(HttpRoute route);

  // What paths that are not in the table are answered with; NOT_FOUND at first.
  void SetMissing(absl::Status status) { missing_ = std::move(status); }
  const absl::Status& missing() const { return missing_; }

  struct Found {
    const HttpRoute* route = nullptr;  // null: none for this verb
    std::string allow;                 // the verbs that the path takes, "GET, HEAD, OPTIONS"; empty: no such path
    std::map<std::string, std::string> segments;
  };
  // `path` is percent-encoded.
  Found Find(absl::string_view verb, absl::string_view path) const;

 private:
  struct Path {
    std::vector<std::string> parts;  // of "/v2/models/{model}": "", "v2", "models", "{model}"
    std::vector<HttpRoute> routes;
  };
  std::vector<Path> paths_;
  absl::Status missing_ = absl::NotFoundError("this server has no such path");
};

}  // namespace kwta::server
