// What the gRPC port demands of connections.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace kwta::server {

// Files in PEM form, read again when they change: certificates are renewed without a restart.
struct TlsFiles {
  std::string certificate;  // with the chain up to the root; empty: no TLS
  std::string key;
  std::string client_ca;  // who must have signed clients' certificates; empty: clients need none
  int reload_seconds = 10;
};

// Errors: those of reading a file, INVALID_ARGUMENT (no PEM).
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsFiles& files);

}  // namespace kwta::server
