// The one place that converts a status to a gRPC status.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace kwta::server {

// Keeps code and message. Cuts messages at 1024 bytes, because gRPC percent-encodes them in a header of limited size.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace kwta::server
