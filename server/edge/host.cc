#include "server/edge/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace kwta::server {
namespace {

constexpr size_t kChosenBytes = 8;       // of an IPv6 address
constexpr size_t kMappedFourBegin = 12;  // where an IPv4 address stands in an IPv6 one

std::string TextOf(int family, const void* address) {
  char text[INET6_ADDRSTRLEN] = "";
  return ::inet_ntop(family, address, text, sizeof(text)) == nullptr ? "" : text;
}

}  // namespace

std::string HostOf(const sockaddr_storage& peer) {
  if (peer.ss_family == AF_INET) return TextOf(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr);
  if (peer.ss_family != AF_INET6) return "";
  in6_addr address = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return TextOf(AF_INET, address.s6_addr + kMappedFourBegin);
  std::memset(address.s6_addr + sizeof(address.s6_addr) - kChosenBytes, 0, kChosenBytes);
  return TextOf(AF_INET6, &address) + "/64";
}

}  // namespace kwta::server
