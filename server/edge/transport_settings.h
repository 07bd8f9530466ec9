// How gRPC treats its connections.
#pragma once

#include <grpcpp/server_builder.h>

namespace kwta::server {

// Sets the sizes of reads and frames, pings, the time that handshakes may take, and whether messages may be compressed.
void SetUpTransport(bool accept_compression, grpc::ServerBuilder* builder);

}  // namespace kwta::server
