// What counts as one host among the peers of a port.
#pragma once

#include <sys/socket.h>

#include <string>

namespace kwta::server {

// Returns the host's part of a peer's address as text: all of an IPv4 address, mapped into IPv6 or not, and the first
// 64 bits of an IPv6 address, since one host may choose the rest freely. Other families: an empty string.
std::string HostOf(const sockaddr_storage& peer);

}  // namespace kwta::server
