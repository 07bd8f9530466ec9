// Addresses of ports to listen on, host:port, as operators write them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta::server {

struct Address {
  std::string host;  // a name or a number; of IPv6 without its brackets
  int port = 0;      // 0: a free one

  // Whether only this machine can reach it: 127.0.0.0/8, ::1, or the name localhost.
  bool is_loopback() const;
};

// IPv6 hosts stand in brackets. Errors: INVALID_ARGUMENT saying what is wrong: a URL, no port, a port above 65535, an
// IPv6 host without brackets, a socket of Unix, a character that no host has.
absl::StatusOr<Address> ParseAddress(absl::string_view text);

}  // namespace kwta::server
