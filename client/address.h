// Addresses of servers as callers write them, and how one gets there.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::client {

// Whether `address` can be one: HOST, HOST:PORT, several with commas between them, or a name of gRPC such as
// dns:///HOST:PORT or unix:PATH. Errors: INVALID_ARGUMENT saying what is wrong, such as a URL or a port above 65535.
absl::Status CheckAddress(absl::string_view address);

// Whether every server of a good address runs on this machine: 127.0.0.0/8, ::1, localhost, or a socket of Unix.
bool IsOnThisMachine(absl::string_view address);

// The environment variable that names the proxy through which gRPC goes to `address`; empty if it goes there directly.
// Servers on this machine are never reached by a proxy. What no_proxy says is gRPC's to read: it may go directly even
// so.
std::string ProxyVariable(absl::string_view address);

}  // namespace kwta::client
