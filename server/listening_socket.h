// Listens on TCP ports.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kwta::server {

// Does not block. The owner closes the descriptor.
struct ListeningSocket {
  int descriptor;
  int port;
};

// Listens on `address`, host:port, with IPv6 hosts in brackets; port 0 picks a free one. [::] also accepts IPv4. If the
// host has several addresses, the first that works counts. `flag` is the flag that set the address. Errors:
// UNAVAILABLE (port in use, no such host).
absl::StatusOr<ListeningSocket> Listen(const std::string& address, const char* flag);

// The same on every address of the host that works, at least one; all have the same port. 0.0.0.0 also accepts IPv6.
absl::StatusOr<std::vector<ListeningSocket>> ListenOnAll(const std::string& address, const char* flag);

// Checks whether the port could be used if nobody else used it. Errors: UNAVAILABLE.
absl::Status CanListen(const std::string& address, const char* flag);

}  // namespace kwta::server
