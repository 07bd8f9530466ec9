// Who is at the other end of a connection of the HTTP port.
#pragma once

#include <sys/socket.h>

#include <string>

struct gnutls_session_int;

namespace kwta::server {

// "ipv4:10.0.0.7" or "ipv6:2001:db8::/64", as HostOfPeer writes them. An IPv4 address that IPv6 wraps is an IPv4
// address.
std::string HostOfAddress(const sockaddr* address);

// Whether the client of this TLS session has shown a certificate for clients that one of the session's authorities has
// signed.
bool TrustsClient(gnutls_session_int* session);

// "certificate:NAME" with the first alternative name of the client's certificate, or else its common name; empty: it
// has none. REQUIRES: TrustsClient(session).
std::string NameOfClient(gnutls_session_int* session);

}  // namespace kwta::server
