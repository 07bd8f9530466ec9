#include "server/web/listening_socket.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "server/address.h"

namespace kwta::server {
namespace {

constexpr int kWaitingConnections = 128;
constexpr char kHttpFlag[] = "--http";

absl::Status CannotListen(const std::string& address, const char* why, const char* flag) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on '", address, "': ", why, "; the port may be in use: choose another with ", flag));
}

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

absl::StatusOr<AddressList> Resolve(const std::string& text, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(const Address address, ParseAddress(text));
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

}  // namespace

absl::StatusOr<ListeningSocket> Listen(const std::string& address) {
  KWTA_ASSIGN_OR_RETURN(const AddressList found, Resolve(address, kHttpFlag));
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    const int descriptor = ListenOn(*each);
    if (descriptor >= 0) return ListeningSocket{descriptor, PortOf(descriptor)};
  }
  return CannotListen(address, std::strerror(errno), kHttpFlag);
}

absl::Status CanListen(const std::string& address, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(const AddressList found, Resolve(address, flag));
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
