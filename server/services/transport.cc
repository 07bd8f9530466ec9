#include "server/services/transport.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/io/files.h"

namespace kwta::server {
namespace {

constexpr uint64_t kMaxPemBytes = 1 << 20;

// gRPC says nothing of files that it cannot read: every handshake would fail instead.
absl::Status CheckPem(const std::string& path, const char* flag) {
  KWTA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxPemBytes));
  if (absl::StrContains(text, "-----BEGIN ")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("'", path, "' (", flag, ") is not in PEM form"));
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsOf(const TlsFiles& files) {
  if (files.certificate.empty()) return grpc::InsecureServerCredentials();
  KWTA_RETURN_IF_ERROR(CheckPem(files.certificate, "--tls-cert"));
  KWTA_RETURN_IF_ERROR(CheckPem(files.key, "--tls-key"));
  if (!files.client_ca.empty()) KWTA_RETURN_IF_ERROR(CheckPem(files.client_ca, "--tls-client-ca"));
  const auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
      files.key, files.certificate, files.client_ca, static_cast<unsigned>(files.reload_seconds));
  grpc::experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  if (!files.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace kwta::server
