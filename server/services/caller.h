// Who makes a call.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace kwta::server {

// The host of an address as gRPC writes it: "ipv4:10.0.0.7" of "ipv4:10.0.0.7:51034". Connections from one host count
// as one caller.
std::string HostOfPeer(absl::string_view peer);

}  // namespace kwta::server
