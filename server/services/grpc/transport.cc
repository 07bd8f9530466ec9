#include "server/services/grpc/transport.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

namespace kwta::server {
namespace {

// gRPC's own support for changing certificates watches files and takes what it finds: an empty file ends the process,
// and another certificate's key makes every handshake fail. This class asks before each handshake, and gets only what
// was checked.
class FetchedCredentials final : public grpc::ServerCredentials {
 public:
  explicit FetchedCredentials(Certificates* certificates) : certificates_(certificates) {
    credentials_ =
        grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
            certificates->asks_clients() ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                         : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
            &FetchedCredentials::Fetch, this));
  }
  ~FetchedCredentials() override { grpc_server_credentials_release(credentials_); }

  // The pipeline checks tokens when it admits a call; nothing to do here.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls this under a lock of the port.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config) {
    auto* credentials = static_cast<FetchedCredentials*>(self);
    const std::shared_ptr<const TlsTexts> texts = credentials->certificates_->Current();
    if (texts == credentials->given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {texts->key.c_str(), texts->certificate.c_str()};
    // gRPC requires authorities even if it does not ask clients for certificates. These are never used then.
    const std::string& authorities = texts->client_ca.empty() ? texts->certificate : texts->client_ca;
    *config = grpc_ssl_server_certificate_config_create(authorities.c_str(), &pair, 1);
    credentials->given_ = texts;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  Certificates* const certificates_;
  std::shared_ptr<const TlsTexts> given_;
  grpc_server_credentials* credentials_;
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> CredentialsOf(Certificates* certificates) {
  if (certificates == nullptr) return grpc::InsecureServerCredentials();
  return std::make_shared<FetchedCredentials>(certificates);
}

}  // namespace kwta::server
