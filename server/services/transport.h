// What the gRPC port demands of connections.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "absl/status/statusor.h"
#include "server/security/tls_files.h"

namespace kwta::server {

// Errors: those of ReadTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsFiles& files);

}  // namespace kwta::server
