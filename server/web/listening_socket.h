// A TCP port that is listened on.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::server {

struct ListeningSocket {
  int descriptor;
  int port;
};

// `address` is host:port, with IPv6 hosts in brackets; port 0 takes a free one. [::] takes IPv4 as well. The caller
// closes the descriptor. Errors: UNAVAILABLE (port in use, no such host).
absl::StatusOr<ListeningSocket> Listen(const std::string& address);

// Whether a port could be listened on if nobody else did. `flag` gave the address. Errors: UNAVAILABLE.
absl::Status CanListen(const std::string& address, const char* flag);

}  // namespace kwta::server
