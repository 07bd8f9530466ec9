// Listens on a TCP port.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::server {

struct ListeningSocket {
  int descriptor;
  int port;
};

// Listens on `address`, host:port, with IPv6 hosts in brackets; port 0 picks a free one. [::] also accepts IPv4. The
// caller closes the descriptor. Errors: UNAVAILABLE (port in use, no such host).
absl::StatusOr<ListeningSocket> Listen(const std::string& address);

// Checks whether the port could be used if nobody else used it. `flag` is the flag that set the address. Errors:
// UNAVAILABLE.
absl::Status CanListen(const std::string& address, const char* flag);

}  // namespace kwta::server
