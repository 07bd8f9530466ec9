// The one place that converts gRPC statuses to absl statuses.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace kwta::client {

// Keeps the message and the code, which is numerically the same. A code that absl does not know becomes UNKNOWN.
// UNAVAILABLE becomes NotReached.
absl::Status FromGrpc(const grpc::Status& status);

// Returns an UNAVAILABLE status for which IsNotReached is true.
absl::Status NotReached(absl::string_view message);

// Converts the status of a call that the client did not cancel. A server that shuts down cancels its open streams and
// the calls that it has not started, so CANCELLED becomes UNAVAILABLE here.
absl::Status FromGrpcUncancelled(const grpc::Status& status);

}  // namespace kwta::client
