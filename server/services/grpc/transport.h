// The requirements of the gRPC port on connections.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "server/security/certificates.h"

namespace kwta::server {

// Returns credentials that give each new connection the current certificates. Null certificates mean plaintext.
// REQUIRES: the certificates and the result outlive the server that listens with it.
std::shared_ptr<grpc::ServerCredentials> CredentialsOf(Certificates* certificates);

}  // namespace kwta::server
