#include "server/services/grpc/transport.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

namespace kwta::server {
namespace {

// gRPC's own way to certificates that change, a watcher of files, takes what it finds: with an empty file it ends the
// process, with a key of another certificate it fails every handshake. This one asks before each handshake, and gets
// nothing that was not checked.
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

  // Tokens are looked at where calls are let in, not here.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  // gRPC calls it under a lock of the port.
  static grpc_ssl_certificate_config_reload_status Fetch(void* self, grpc_ssl_server_certificate_config** config) {
    auto* credentials = static_cast<FetchedCredentials*>(self);
    const std::shared_ptr<const TlsTexts> texts = credentials->certificates_->Current();
    if (texts == credentials->given_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {texts->key.c_str(), texts->certificate.c_str()};
    // gRPC wants authorities even where clients are not asked for certificates: these are never used then.
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
