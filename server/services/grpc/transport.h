// What the gRPC port demands of connections.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/security/certificates.h"

namespace kwta::server {

// Without certificates (null): plaintext. With them each new connection gets those of now. REQUIRES: the certificates,
// and what this gives, outlive the server that listens with it.
std::shared_ptr<grpc::ServerCredentials> CredentialsOf(Certificates* certificates);

}  // namespace kwta::server
