#include "client/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/parse_number.h"

namespace kwta::client {
namespace {

constexpr uint32_t kMaxPort = 65535;

absl::Status Wrong(absl::string_view address, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("'", absl::CHexEscape(address), "' is no address of a server: ", why,
                                                 "; expected HOST:PORT, such as 127.0.0.1:8500"));
}

bool IsUnixSocket(absl::string_view address) {
  return absl::StartsWith(address, "unix:") || absl::StartsWith(address, "unix-abstract:");
}

// True for names that gRPC resolves itself, such as "dns:///kwta.example:8500".
bool HasScheme(absl::string_view address) {
  for (const char* scheme : {"dns:", "ipv4:", "ipv6:", "xds:", "vsock:"}) {
    if (absl::StartsWith(address, scheme)) return true;
  }
  return IsUnixSocket(address);
}

// Splits HOST:PORT. The port is empty if there is none, and for an IPv6 number without brackets.
std::pair<absl::string_view, absl::string_view> Split(absl::string_view one) {
  const size_t colon = one.rfind(':');
  const bool bracketed = absl::StartsWith(one, "[");
  if (colon == absl::string_view::npos || (bracketed ? one[colon - 1] != ']' : one.find(':') != colon))
    return {one, ""};
  return {one.substr(0, colon), one.substr(colon + 1)};
}

bool IsLoopback(absl::string_view host) {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");
  const std::string number(host);
  in_addr four = {};
  if (::inet_pton(AF_INET, number.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
  in6_addr six = {};
  return ::inet_pton(AF_INET6, number.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

}  // namespace

absl::Status CheckAddress(absl::string_view address) {
  if (address.empty()) return Wrong(address, "it is empty");
  for (const char c : address) {
    if (absl::ascii_iscntrl(c)) return Wrong(address, "it holds a line's end or another control character");
  }
  if (HasScheme(address)) return absl::OkStatus();
  if (absl::StrContains(address, "://")) return Wrong(address, "it is a URL");
  for (absl::string_view one : absl::StrSplit(address, ',')) {
    one = absl::StripAsciiWhitespace(one);
    const auto [host, port] = Split(one);
    if (host.empty()) return Wrong(address, "it names no host");
    if (absl::StrContains(host, '/') || absl::StrContains(host, ' ')) return Wrong(address, "no host is called that");
    if (!port.empty() && !NumberIn<uint32_t>::Between(1, kMaxPort).Parse(port).ok()) {
      return Wrong(address, absl::StrCat("port '", absl::CHexEscape(port), "' is none of 1 .. ", kMaxPort));
    }
    if (port.empty() && absl::EndsWith(one, ":")) return Wrong(address, "it names no port");
  }
  return absl::OkStatus();
}

bool IsOnThisMachine(absl::string_view address) {
  if (IsUnixSocket(address)) return true;
  if (HasScheme(address)) return false;
  for (const absl::string_view one : absl::StrSplit(address, ',')) {
    if (!IsLoopback(Split(absl::StripAsciiWhitespace(one)).first)) return false;
  }
  return true;
}

std::string ProxyVariable(absl::string_view address) {
  if (IsOnThisMachine(address)) return "";
  for (const char* name : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    const char* proxy = std::getenv(name);
    if (proxy != nullptr && *proxy != '\0') return name;
  }
  return "";
}

}  // namespace kwta::client
