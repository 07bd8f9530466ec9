// A TCP port that is listened on.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace kwta::server {

struct ListeningSocket {
  int descriptor;
  int port;
};

// `address` is host:port, with IPv6 hosts in brackets; port 0 takes a free one. [::] takes IPv4 as well. The caller
// closes the descriptor. Errors: UNAVAILABLE (port in use, no such host).
absl::StatusOr<ListeningSocket> Listen(const std::string& address);

}  // namespace kwta::server
