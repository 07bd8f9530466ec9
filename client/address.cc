#include "client/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/parse_number.h"
#include "core/base/status_macros.h"

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

// True for names that gRPC resolves by other rules than HOST:PORT, such as "dns:///kwta.example:8500".
bool IsName(absl::string_view address) {
  for (const char* scheme : {"dns:", "xds:", "vsock:"}) {
    if (absl::StartsWith(address, scheme)) return true;
  }
  return IsUnixSocket(address);
}

// Takes "ipv4:" or "ipv6:" off an address; what remains is IP:PORT, or several of them.
bool ConsumeFamily(absl::string_view* address) {
  if (!absl::ConsumePrefix(address, "ipv4:") && !absl::ConsumePrefix(address, "ipv6:")) return false;
  absl::ConsumePrefix(address, "///");
  return true;
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

// True if `host` is a number of the family: 10.0.0.1, or [::1].
bool IsNumber(absl::string_view host, bool v6) {
  if (v6 && !(absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]"))) return false;
  in6_addr number = {};
  return ::inet_pton(v6 ? AF_INET6 : AF_INET, std::string(host).c_str(), &number) == 1;
}

}  // namespace

absl::Status CheckAddress(absl::string_view address) {
  if (address.empty()) return Wrong(address, "it is empty");
  for (const char c : address) {
    if (absl::ascii_iscntrl(c)) return Wrong(address, "it holds a line's end or another control character");
  }
  if (IsName(address)) return absl::OkStatus();
  absl::string_view list = address;
  const bool of_family = ConsumeFamily(&list);
  if (absl::StrContains(list, "://")) return Wrong(address, "it is a URL");
  const bool v6 = of_family ? absl::StartsWith(address, "ipv6:") : absl::StartsWith(list, "[");
  const std::vector<absl::string_view> all = absl::StrSplit(list, ',');
  for (absl::string_view one : all) {
    one = absl::StripAsciiWhitespace(one);
    const auto [host, port] = Split(one);
    if (host.empty()) return Wrong(address, "it names no host");
    if (absl::StrContains(host, '/') || absl::StrContains(host, ' ')) return Wrong(address, "no host is called that");
    if (!port.empty() && !NumberIn<uint32_t>::Between(1, kMaxPort).Parse(port).ok()) {
      return Wrong(address, absl::StrCat("port '", absl::CHexEscape(port), "' is none of 1 .. ", kMaxPort));
    }
    if (port.empty() && absl::EndsWith(one, ":")) return Wrong(address, "it names no port");
    if ((of_family || all.size() > 1) && (port.empty() || !IsNumber(host, v6))) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", absl::CHexEscape(one),
                       "' is not IP:PORT of one family, as each of several addresses, and what follows "
                       "ipv4: or ipv6:, must be; a name that leads to several servers is given alone"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TargetOf(absl::string_view address) {
  KWTA_RETURN_IF_ERROR(CheckAddress(address));
  if (IsName(address)) return std::string(address);
  absl::string_view list = address;
  const bool of_family = ConsumeFamily(&list);
  std::vector<absl::string_view> all = absl::StrSplit(list, ',');
  for (absl::string_view& each : all) each = absl::StripAsciiWhitespace(each);
  if (!of_family && all.size() == 1) return std::string(all.front());
  const bool v6 = absl::StartsWith(all.front(), "[");
  return absl::StrCat(v6 ? "ipv6:" : "ipv4:", absl::StrJoin(all, ","));
}

bool IsOnThisMachine(absl::string_view address) {
  if (IsUnixSocket(address)) return true;
  if (IsName(address)) return false;
  ConsumeFamily(&address);
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
