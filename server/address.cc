#include "server/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace kwta::server {
namespace {

constexpr int kMaxPort = 65535;
constexpr size_t kMaxPortDigits = 5;

absl::Status Wrong(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(text), "' is no address to listen on: ", why, "; expected host:port"));
}

absl::StatusOr<int> ParsePort(absl::string_view text, absl::string_view digits) {
  int port = 0;
  for (const char c : digits) {
    if (!absl::ascii_isdigit(c)) return Wrong(text, "its port is no number");
    port = std::min(10 * port + (c - '0'), kMaxPort + 1);
  }
  if (digits.empty()) return Wrong(text, "it has no port");
  if (port > kMaxPort) return Wrong(text, absl::StrCat("port ", digits, " is above ", kMaxPort));
  if (digits.size() > kMaxPortDigits || (digits.size() > 1 && digits[0] == '0')) {
    return Wrong(text, "its port starts with a zero");
  }
  return port;
}

bool IsIpv6(const std::string& host) {
  in6_addr ignored = {};
  // A zone may follow the number.
  return ::inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &ignored) == 1;
}

}  // namespace

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  if (absl::StrContains(text, "://")) return Wrong(text, "it is a URL");
  if (absl::StartsWith(text, "unix:") || absl::StartsWith(text, "unix-abstract:") || absl::StartsWith(text, "/")) {
    return Wrong(text, "sockets of Unix are not listened on");
  }
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return Wrong(text, "it has no port");
  Address address;
  absl::string_view host = text.substr(0, colon);
  if (host.empty()) return Wrong(text, "it has no host; 0.0.0.0 and [::] stand for all of them");
  if (host.front() == '[' || host.back() == ']') {
    if (host.size() < 2 || host.front() != '[' || host.back() != ']') return Wrong(text, "a bracket is missing");
    address.host = std::string(host.substr(1, host.size() - 2));
    if (!IsIpv6(address.host)) return Wrong(text, "what stands in brackets is no IPv6 number");
  } else {
    if (absl::StrContains(host, ":")) return Wrong(text, "an IPv6 host needs brackets, as in [::1]:8500");
    for (const char c : host) {
      if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return Wrong(text, "no host is called that");
    }
    address.host = std::string(host);
  }
  KWTA_ASSIGN_OR_RETURN(address.port, ParsePort(text, text.substr(colon + 1)));
  return address;
}

bool Address::is_loopback() const {
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr four = {};
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
  in6_addr six = {};
  if (::inet_pton(AF_INET6, host.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&six) || (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == IN_LOOPBACKNET);
}

}  // namespace kwta::server
