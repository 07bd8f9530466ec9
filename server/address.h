// Parses the addresses of ports to listen on, which operators write as host:port.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

struct Address {
  std::string host;  // a name or a number; an IPv6 host has no brackets here
  int port = 0;      // 0 picks a free port

  // True if only this machine can reach the address: 127.0.0.0/8, ::1, or the name localhost.
  bool is_loopback() const;
};

// Parses host:port. An IPv6 host must stand in brackets. Errors: INVALID_ARGUMENT saying what is wrong: a URL, no port,
// a port above 65535, an IPv6 host without brackets, a Unix socket, or a character that no host name contains.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

}  // namespace kwta::server
