#include "server/web/http_message.h"

#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/utf8.h"

namespace kwta::server {
namespace {

const std::string& ValueOf(const std::map<std::string, std::string>& values, const std::string& name) {
  static const std::string& none = *new std::string();
  const auto found = values.find(name);
  return found == values.end() ? none : found->second;
}

int HexDigit(char digit) {
  if (absl::ascii_isdigit(digit)) return digit - '0';
  return absl::ascii_isxdigit(digit) ? absl::ascii_tolower(digit) - 'a' + 10 : -1;
}

}  // namespace

const std::string& HttpRequest::Header(const std::string& lower_case_name) const {
  return ValueOf(headers, lower_case_name);
}
const std::string& HttpRequest::Query(const std::string& name) const { return ValueOf(query, name); }
const std::string& HttpRequest::Segment(const std::string& name) const { return ValueOf(segments, name); }

int HttpCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

HttpResponse HttpError(const absl::Status& status) { return HttpError(HttpCodeOf(status), status); }

HttpResponse HttpError(int code, const absl::Status& status) {
  HttpResponse response;
  response.code = code;
  response.type = "application/json";
  const nlohmann::json json = {{"error", ToUtf8(status.message())}, {"code", absl::StatusCodeToString(status.code())}};
  response.body = absl::StrCat(json.dump(), "\n");
  if (code == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  response.status = status;
  return response;
}

HttpResponse HttpJson(std::string json) {
  HttpResponse response;
  response.type = "application/json";
  response.body = std::move(json);
  return response;
}

bool PercentDecode(absl::string_view text, std::string* decoded) {
  decoded->clear();
  decoded->reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char character = text[i];
    if (character == '%') {
      const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) return false;
      character = static_cast<char>(high * 16 + low);
      i += 2;
    }
    if (character == '\0') return false;
    decoded->push_back(character);
  }
  return true;
}

}  // namespace kwta::server
