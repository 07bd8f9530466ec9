// Requests and responses of the HTTP port.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

// One request. Its paths, queries and headers are short: the library answers 431 if a head is longer than its buffer.
struct HttpRequest {
  std::string verb;  // GET, HEAD, POST, ...
  std::string path;  // as it was sent, without the query
  std::string peer;  // "ipv4:10.0.0.7", or "certificate:NAME" if the client has shown a trusted one
  // The client has shown a trusted certificate, or need not show any.
  bool trusted = true;
  // The segments that the route's pattern names, without percent-encoding.
  std::map<std::string, std::string> segments;
  std::map<std::string, std::string> query;    // without percent-encoding; the first of equal names
  std::map<std::string, std::string> headers;  // names in lower case; values of equal names are joined by ", "
  std::string body;                            // unpacked

  // Each returns an empty text if there is none.
  const std::string& Header(const std::string& lower_case_name) const;
  const std::string& Query(const std::string& name) const;
  const std::string& Segment(const std::string& name) const;
};

struct HttpResponse {
  int code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  // Besides Content-Type, Content-Length, Date and, unless it stands here, Cache-Control: no-store.
  std::vector<std::pair<std::string, std::string>> headers;
  // How the request ended, for metrics and logs.
  absl::Status status;
};

// The HTTP code of a status: 200 for OK, 400 for INVALID_ARGUMENT, and so on.
int HttpCodeOf(const absl::Status& status);

// The answer to a request that failed: HttpCodeOf(status), and the body {"error": message, "code": "NOT_FOUND"}. With
// 401 goes WWW-Authenticate. REQUIRES: the status is not OK.
HttpResponse HttpError(const absl::Status& status);
// The same with a code that no status has.
HttpResponse HttpError(int code, const absl::Status& status);

// An answer of 200. `json` is a complete text of JSON.
HttpResponse HttpJson(std::string json);

// Removes percent-encoding. Returns false if a % is not followed by two hexadecimal digits, or if the text holds a zero
// byte then.
bool PercentDecode(absl::string_view text, std::string* decoded);

}  // namespace kwta::server
