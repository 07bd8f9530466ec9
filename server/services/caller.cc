#include "server/services/caller.h"

#include "absl/strings/match.h"

namespace kwta::server {

std::string HostOfPeer(absl::string_view peer) {
  if (!absl::StartsWith(peer, "ipv4:") && !absl::StartsWith(peer, "ipv6:")) return std::string(peer);
  return std::string(peer.substr(0, peer.rfind(':')));
}

}  // namespace kwta::server
