#include "server/listening_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/address.h"

namespace kwta::server {
namespace {

// The system lowers this to what it allows (net.core.somaxconn).
constexpr int kWaitingConnections = 4096;
constexpr char kAnyFour[] = "0.0.0.0";
constexpr char kAnySix[] = "::";

absl::Status CannotListen(const std::string& address, const char* why, const char* flag) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on '", address, "': ", why, "; the port may be in use: choose another with ", flag));
}

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

// `text` is the address as the operator wrote it.
absl::StatusOr<AddressList> Resolve(const Address& address, const std::string& text, const char* flag) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return CannotListen(text, ::gai_strerror(error), flag);
  return AddressList(found, &::freeaddrinfo);
}

// Returns a descriptor, or -1 with errno.
int ListenOn(const addrinfo& where) {
  const int descriptor = ::socket(where.ai_family, where.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -1;
  const int on = 1, off = 0;
  // A restarted server must not wait until the previous server's connections are forgotten.
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (where.ai_family == AF_INET6) ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  if (::bind(descriptor, where.ai_addr, where.ai_addrlen) == 0 && ::listen(descriptor, kWaitingConnections) == 0) {
    return descriptor;
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return -1;
}

int PortOf(int descriptor) {
  sockaddr_storage name = {};
  socklen_t size = sizeof(name);
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&name), &size) != 0) return 0;
  return name.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&name)->sin6_port)
                                    : ntohs(reinterpret_cast<sockaddr_in*>(&name)->sin_port);
}

// Replaces port 0 by the port that another address of the host has.
void SetPort(const addrinfo& where, int port) {
  if (where.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(where.ai_addr)->sin6_port = htons(static_cast<uint16_t>(port));
  } else {
    reinterpret_cast<sockaddr_in*>(where.ai_addr)->sin_port = htons(static_cast<uint16_t>(port));
  }
}

// Returns the sockets on those of the addresses that work; none: errno is the reason of the last one.
std::vector<ListeningSocket> ListenOnEach(const addrinfo* found) {
  std::vector<ListeningSocket> sockets;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (!sockets.empty()) SetPort(*each, sockets.front().port);
    const int descriptor = ListenOn(*each);
    if (descriptor >= 0) sockets.push_back({descriptor, PortOf(descriptor)});
  }
  return sockets;
}

}  // namespace

absl::StatusOr<ListeningSocket> Listen(const std::string& address, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  KWTA_ASSIGN_OR_RETURN(const AddressList found, Resolve(parsed, address, flag));
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    const int descriptor = ListenOn(*each);
    if (descriptor >= 0) return ListeningSocket{descriptor, PortOf(descriptor)};
  }
  return CannotListen(address, std::strerror(errno), flag);
}

absl::StatusOr<std::vector<ListeningSocket>> ListenOnAll(const std::string& address, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(Address parsed, ParseAddress(address));
  if (parsed.host == kAnyFour) {
    // A socket on [::] accepts both families, unless the machine has no IPv6.
    Address six = parsed;
    six.host = kAnySix;
    const absl::StatusOr<AddressList> found = Resolve(six, address, flag);
    if (found.ok()) {
      std::vector<ListeningSocket> sockets = ListenOnEach(found->get());
      if (!sockets.empty()) return sockets;
    }
  }
  KWTA_ASSIGN_OR_RETURN(const AddressList found, Resolve(parsed, address, flag));
  std::vector<ListeningSocket> sockets = ListenOnEach(found.get());
  if (sockets.empty()) return CannotListen(address, std::strerror(errno), flag);
  return sockets;
}

absl::Status CanListen(const std::string& address, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  KWTA_ASSIGN_OR_RETURN(const AddressList found, Resolve(parsed, address, flag));
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    const int descriptor = ListenOn(*each);
    if (descriptor >= 0) {
      ::close(descriptor);
      return absl::OkStatus();
    }
    if (errno == EADDRINUSE) return absl::OkStatus();
  }
  return CannotListen(address, std::strerror(errno), flag);
}

}  // namespace kwta::server
