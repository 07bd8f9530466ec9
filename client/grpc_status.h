// The one place where gRPC's statuses become absl's.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::client {

// The codes are numerically equal; a code that absl does not know becomes UNKNOWN. The message is kept.
// UNAVAILABLE becomes NotReached.
absl::Status FromGrpc(const grpc::Status& status);

// UNAVAILABLE for which IsNotReached is true.
absl::Status NotReached(absl::string_view message);

// The same for a call that the client did not cancel. A server that shuts down cancels the streams it has open and the
// calls that it has not come to, so CANCELLED becomes UNAVAILABLE here.
absl::Status FromGrpcUncancelled(const grpc::Status& status);

}  // namespace kwta::client
