// The one place where a status becomes a gRPC status.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace kwta::server {

// Same code, same message. Messages are cut at 1024 bytes: gRPC sends them percent-encoded in a header of limited size.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace kwta::server
