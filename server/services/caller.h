// Identifies who makes a call.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta::server {

// Returns the host of an address that gRPC wrote: "ipv4:10.0.0.7" for "ipv4:10.0.0.7:51034", "ipv6:2001:db8::/64" for
// "ipv6:%5B2001:db8::7%5D:51034" (see HostOf). Connections from one host count as one caller.
std::string HostOfPeer(absl::string_view peer);

}  // namespace kwta::server
