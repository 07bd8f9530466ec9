#include "server/services/caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/edge/host.h"

namespace kwta::server {

std::string HostOfPeer(absl::string_view peer) {
  if (absl::StartsWith(peer, "ipv4:")) return std::string(peer.substr(0, peer.rfind(':')));
  absl::string_view address = peer;
  if (!absl::ConsumePrefix(&address, "ipv6:")) return std::string(peer);
  address = address.substr(0, address.rfind(':'));
  if (!absl::ConsumePrefix(&address, "%5B")) absl::ConsumePrefix(&address, "[");
  if (!absl::ConsumeSuffix(&address, "%5D")) absl::ConsumeSuffix(&address, "]");
  sockaddr_storage socket = {};
  socket.ss_family = AF_INET6;
  auto& six = reinterpret_cast<sockaddr_in6&>(socket);
  const bool read = ::inet_pton(AF_INET6, std::string(address).c_str(), &six.sin6_addr) == 1;
  return absl::StrCat("ipv6:", read ? HostOf(socket) : std::string(address));
}

}  // namespace kwta::server
