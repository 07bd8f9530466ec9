// Decides where calls go and what protects them. Private to the library.
#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/options.h"

namespace kwta::client {

// Errors: those of reading the files, INVALID_ARGUMENT (a certificate without its key).
absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const TlsOptions& tls);

// Returns the token to send, from Options.token_file or Options.token; empty if there is none. Errors: those of reading
// the file, INVALID_ARGUMENT (a file without a token, a token that no header can carry).
absl::StatusOr<std::string> TokenOf(const Options& options);

using Interceptors = std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>;
// Returns interceptors that send `token` with every call; none if `token` is empty.
Interceptors InterceptorsFor(const std::string& token);

}  // namespace kwta::client
