// Checks the server addresses that callers write, and tells how gRPC reaches them.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace kwta::client {

// Checks that `address` is HOST, HOST:PORT, several IP:PORT of one family with commas between them (ipv4: or ipv6: may
// stand before them), or a name that gRPC resolves, such as dns:///HOST:PORT or unix:PATH. Errors: INVALID_ARGUMENT
// saying what is wrong, such as a URL or a port above 65535.
absl::Status CheckAddress(absl::string_view address);

// Converts an address to a name that gRPC resolves. Errors: those of CheckAddress.
absl::StatusOr<std::string> TargetOf(absl::string_view address);

// True if every server of a valid address runs on this machine: 127.0.0.0/8, ::1, localhost, or a Unix socket.
bool IsOnThisMachine(absl::string_view address);

// Returns the environment variable that names the proxy for `address`; empty if gRPC connects directly. gRPC never uses
// a proxy for servers on this machine. This function does not read no_proxy, so gRPC may still connect directly.
std::string ProxyVariable(absl::string_view address);

}  // namespace kwta::client
